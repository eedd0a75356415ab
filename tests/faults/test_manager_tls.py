# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gateway's certificate: expired, not yet good, of another name, of another authority, replaced while it serves.

To nobody whose certificate cannot be verified is anything said: no request, so no password and no message. Each error
names why, and what to do.
"""

import contextlib
import datetime
import json
import os
import pathlib
import signal
import subprocess

import pytest
import trustme

from ansible_collections.ovm.messaging.plugins.module_utils.manager.connection import Connection
from ansible_collections.ovm.messaging.plugins.module_utils.manager.errors import UntrustedCertificate
from ansible_collections.ovm.messaging.plugins.module_utils.manager.manager import Manager
from ansible_collections.ovm.messaging.plugins.module_utils.vms import find
from faults.clock import Clock
from faults.hosts import COMMAND, MODULE, XenHost, until
from faults.injector import PATIENCE
from lab.gateway import Gateway

DAY = datetime.timedelta(days=1)
NOT_TRUSTED = 8
CLOCKS = "renew it, or set the clocks right"
#: Certificate -> what an error says of it, and the remedy.
BAD = {
    "expired": ("certificate has expired", CLOCKS),
    "not yet good": ("certificate is not yet valid", CLOCKS),
    "another name": ("IP address mismatch", "use the name that the certificate is made out to"),
    "another authority": ("unable to get local issuer certificate", "see that "),
}


class Certificates:
    """A gateway's certificate and key, in files, and the authority that clients trust."""

    def __init__(self, folder):
        self._authority = trustme.CA()
        self.ca, self.path, self.key = (str(folder / name) for name in ("ca.pem", "certificate.pem", "key.pem"))
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(self, kind="good"):
        """Have another certificate in the files."""
        now = datetime.datetime.now(datetime.UTC)
        authority = trustme.CA() if kind == "another authority" else self._authority
        name = "elsewhere.example.com" if kind == "another name" else "127.0.0.1"
        begin = now + DAY if kind == "not yet good" else now - 2 * DAY
        until_ = now - DAY if kind == "expired" else now + 30 * DAY
        issued = authority.issue_cert(name, not_before=begin, not_after=until_)
        issued.private_key_pem.write_to_path(self.key)
        pathlib.Path(self.path).write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))


@pytest.fixture
def certificates(tmp_path):
    return Certificates(tmp_path)


@pytest.fixture
def gateway(lab_parts, certificates):
    """A gateway with that certificate, and a guest."""
    certificates.issue()
    options = {"tls.certificate": certificates.path, "tls.key": certificates.key}
    with XenHost("c") as site, Gateway(site.daemon, options=options) as made:
        made.site, made.ca = site, certificates.ca
        with client(made) as manager:
            until(lambda: [vm for vm in asked(manager) if vm.id == site.vm], "the gateway does not know the guest")
        yield made


def client(gateway):
    login = {"username": gateway.username, "password": gateway.password, "ca_path": gateway.ca}
    return contextlib.closing(Manager(Connection(gateway.host, gateway.port, timeout=PATIENCE, **login)))


def asked(manager):
    """What there is now, not what there was."""
    manager._vms = None
    return manager.vms()


def replace(gateway, certificates, kind):
    """Another certificate, while it serves."""
    before = gateway.said().count("INFO certificate ")
    certificates.issue(kind)
    gateway.process.signal(signal.SIGHUP)
    until(lambda: gateway.said().count("INFO certificate ") > before, gateway.said)


def run(gateway, command, given=b"", **more):
    environment = dict(
        gateway.environment(), LC_ALL="C", PATH=os.environ["PATH"], PYTHONPATH=os.environ["PYTHONPATH"], **more
    )
    done = subprocess.run(command, input=given, capture_output=True, env=environment, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def vmmessage(gateway, **more):
    return run(
        gateway, [*COMMAND, "-v", "web1", "-k", "key", "--value-from-stdin", "--timeout", "20"], b"value", **more
    )


def module(gateway, **more):
    options = {"vm": "web1", "messages": {"key": "value"}}
    return run(gateway, MODULE, json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode(), **more)


def requests(gateway):
    return sum(gateway.said().count("INFO %s /" % method) for method in ("GET", "PUT"))


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_one_is_refused_by_everybody_before_anything_is_said(gateway, certificates, kind):
    replace(gateway, certificates, kind)
    reason, remedy = BAD[kind]
    said = requests(gateway)
    with client(gateway) as manager, pytest.raises(UntrustedCertificate) as caught:
        manager.vms()
    assert reason in str(caught.value)
    assert remedy in caught.value.remedy
    code, out, err = vmmessage(gateway)
    assert code == NOT_TRUSTED
    assert err.startswith("ovm_vmmessage: the certificate of the manager at 127.0.0.1:")
    assert err.count("\n") == 1
    assert reason in err
    assert remedy in err
    code, out, err = module(gateway)
    assert (code, err) == (1, "")
    assert reason in json.loads(out)["msg"]
    assert remedy in json.loads(out)["msg"]
    assert requests(gateway) == said
    assert gateway.site.takes() == []
    if kind == "expired":
        assert "WARNING the certificate %s has expired: replace it" % certificates.path in gateway.said()
    # And back again.
    replace(gateway, certificates, "good")
    assert vmmessage(gateway)[0] == 0
    assert gateway.site.takes() == [(b"key", b"value")]


def test_who_is_connected_does_not_notice_a_new_one(gateway, certificates):
    with client(gateway) as manager:
        vm = find(asked(manager), gateway.site.vm)
        for number, kind in enumerate(["good", "expired", "good"]):
            replace(gateway, certificates, kind)
            manager.send(vm, [(b"key", b"%d" % number)])
    assert gateway.site.takes() == [(b"key", b"%d" % number) for number in range(3)]


def test_half_of_a_new_one_leaves_the_old_one(gateway, certificates):
    pathlib.Path(certificates.key).write_text("")
    gateway.process.signal(signal.SIGHUP)
    until(lambda: "ERROR the certificate stays the old one: " in gateway.said(), gateway.said)
    assert vmmessage(gateway)[0] == 0


@pytest.mark.parametrize("jump, reason", [(400 * 86400, "has expired"), (-400 * 86400, "is not yet valid")])
def test_a_client_whose_clock_is_wrong_is_told_so(gateway, tmp_path, jump, reason):
    clock = Clock(str(tmp_path))
    clock.jump(jump)
    code, _out, err = vmmessage(gateway, **clock.environment)
    assert code == NOT_TRUSTED
    assert reason in err
    assert CLOCKS in err
    code, out, _err = module(gateway, **clock.environment)
    assert code == 1
    assert reason in json.loads(out)["msg"]
    clock.jump(0)
    assert vmmessage(gateway, **clock.environment)[0] == 0
    assert gateway.site.takes() == [(b"key", b"value")]
