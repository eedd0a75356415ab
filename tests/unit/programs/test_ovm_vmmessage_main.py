# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ovm_vmmessage makes of errors. All else it does is tested with a gateway."""

import inspect
import pathlib
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils import problem, vms
from ansible_collections.ovm.messaging.plugins.module_utils.manager import dialect, errors
from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.programs import build
from lab.programs import PYTHONS

CODES = {
    errors.MissingLibrary: 7,
    errors.Unreachable: 7,
    errors.NotReady: 7,
    errors.BadAnswer: 7,
    errors.BadConnection: 2,
    errors.InvalidMessage: 2,
    errors.LoginFailed: 6,
    errors.Forbidden: 6,
    errors.UntrustedCertificate: 8,
    errors.Refused: 9,
    errors.JobFailed: 9,
    errors.OutcomeUnknown: 10,
    errors.JobTimeout: 10,
    vms.VmNotFound: 3,
    vms.VmAmbiguous: 4,
    vms.VmNotRunning: 5,
}
#: Never raised here: the dialect is the usual one.
UNUSED = {errors.ManagerError, errors.BadDialect}


@pytest.fixture
def program(monkeypatch):
    """The program's main module, imported as the program does."""
    monkeypatch.syspath_prepend(pathlib.Path(build.ROOT, "programs", "ovm_vmmessage"))
    import ovm_vmmessage

    return ovm_vmmessage


def test_every_error_of_the_core_has_an_exit_code(program):
    raised = {
        kind
        for module in (errors, vms, dialect)
        for _name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, problem.Problem) and kind is not problem.Problem
    }
    assert raised - UNUSED == set(CODES)
    for kind, code in CODES.items():
        assert program._code(kind.__new__(kind)) == code, kind


def test_a_defect_is_told_in_one_line_without_any_value(program, monkeypatch, capfd):
    def broken(*_arguments):
        raise ValueError("SECRET\nSECRET")

    monkeypatch.setattr(program, "_run", broken)
    assert program.main() == 70
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "SECRET" not in err
    assert err.startswith("ovm_vmmessage: this is a defect of ovm_vmmessage (ValueError in ")
    assert "test_ovm_vmmessage_main.py, line " in err


def test_an_error_is_one_line_whatever_it_quotes(program, monkeypatch, capfd):
    def broken(*_arguments):
        raise vms.VmNotFound("there is no 'a\x1b[2J\nb\udcff'", "look")

    monkeypatch.setattr(program, "_run", broken)
    assert program.main() == 3
    assert capfd.readouterr() == ("", "ovm_vmmessage: there is no 'a\\x1b[2J\\nb\\udcff': look\n")


def test_a_python_without_requests_whichever_it_is(tmp_path):
    path, _written = build.build("ovm_vmmessage", tmp_path)

    def run(python, *arguments):
        # -S: without site-packages, where requests may be.
        command = [python, "-IS", str(path), *arguments]
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
        return done.returncode, done.stdout, done.stderr

    missing = b"ovm_vmmessage: the Python library requests is not installed: install requests 2.20 or newer\n"
    for python in PYTHONS.values():
        assert run(python, "--version") == (0, b"ovm_vmmessage %s\n" % VERSION.encode(), b""), python
        assert run(python, "--help")[::2] == (0, b""), python
        assert run(python, "-z")[:2] == (2, b""), python
        assert run(python, "-u", "admin", "-p", "SECRET", "-v", "MyVM02", "-q", "key1") == (7, b"", missing), python


def test_a_build_carries_what_it_imports_and_nothing_of_ansible():
    files = set(build.collect("ovm_vmmessage"))
    assert "ovm_vmmessage.py" in files and any(path.endswith("/manager/session.py") for path in files)
    unwanted = ("/xenstore.py", "/guest/", "/host/", "/modules/", "_module.py")
    assert [path for path in files if any(each in path for each in unwanted)] == []
