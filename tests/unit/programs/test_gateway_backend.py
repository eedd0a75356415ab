# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of sends that fail, on a real store. The host is a stand-in: a real one does not fail on demand."""

import importlib

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.host.errors import SendFailed
from ansible_collections.ovm.messaging.plugins.module_utils.host.host import Host
from ansible_collections.ovm.messaging.plugins.module_utils.problem import OutcomeUnknown
from ansible_collections.ovm.messaging.plugins.module_utils.vms import VmNotRunning

PACKAGE = "ansible_collections.ovm.messaging.programs.ovm-gateway.ovm_gateway."
backend = importlib.import_module(PACKAGE + "backend")
settings = importlib.import_module(PACKAGE + "settings")

VM = backend.Vm("0" * 32, "web", "RUNNING")


@pytest.fixture
def sending_raises(tmp_path, monkeypatch):
    """A function: what is left of a send that raises something; None where there is no job."""

    def connect(self):
        pass

    monkeypatch.setattr(Host, "connect", connect)
    made = backend.Backend(settings.Settings({("server", "directory"): str(tmp_path / "state")}))

    def raising(problem):
        def send(self, vm, messages, log):
            raise problem

        monkeypatch.setattr(Host, "send", send)
        try:
            job = made.send(VM, [(b"k%d" % number, b"s3cret") for number in range(7)], False, "ann")
        except RuntimeError:
            job = made.store.jobs()[-1]
        assert made.store.job(job.id) == job and job.end >= job.start and job.user == "ann"
        assert job.description == "Send 'k0', 'k1', 'k2', 'k3', 'k4' and 2 more to web"
        return job.state, job.error_type, job.error

    yield raising
    made.store.close()


def test_a_refusal_is_told_in_its_own_words(sending_raises):
    refused = SendFailed("'k0' and 6 more cannot be sent to 'web': no room", "see that the guest reads", [])
    assert sending_raises(refused) == ("FAILURE", "SERVER", str(refused))
    unknown = OutcomeUnknown("whether 'k0' reached 'web' is not known", "look")
    assert sending_raises(unknown) == ("FAILURE", "OUTCOME_UNKNOWN", str(unknown))
    stopped = VmNotRunning(backend.Vm("0" * 32, "web", "STOPPED"))
    assert sending_raises(stopped) == ("FAILURE", "ILLEGAL_OPERATION", str(stopped))


def test_a_defect_ends_the_job_too_and_tells_nothing(sending_raises):
    defect = "this is a defect of ovm-gateway; see its log"
    assert sending_raises(RuntimeError("s3cret")) == ("FAILURE", "INTERNAL", defect)
