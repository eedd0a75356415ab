# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that ovmd is: started in every way, by every Python, with bytecode for it and without."""

import os
import shutil
import subprocess

import pytest

from ansible_collections.ovm.messaging.plugins.module_utils.version import VERSION
from ansible_collections.ovm.messaging.programs import build

#: Runs the program as its first line does, and tells at its end which modules it had imported.
TRACE = """
import os, sys
def told(code):
    os.write(1, "\\n".join([str(code), sys.modules["ovmd"].__file__] + sorted(sys.modules)).encode())
    leave(code)
leave, os._exit = os._exit, told
sys.path.insert(0, sys.argv.pop(1))
import _start
"""
#: Each costs as much as several of our own modules; together they would double the time of a run.
EXPENSIVE = {
    "argparse", "getopt", "re", "json", "enum", "typing", "gettext", "threading", "socket", "logging", "runpy", "site",
    "pkgutil", "importlib.util", "contextlib", "subprocess", "ctypes", "tempfile", "ovmd_text", "ovmd_secret", "syslog",
}  # fmt: skip
SAID = (0, "ovmd %s\n" % VERSION, "")


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)
    return done.returncode, done.stdout, done.stderr


def test_bytecode_serves_the_python_it_is_for_and_disturbs_no_other(programs, pythons):
    for python, path in pythons.items():
        program = str(programs(python))
        for other, interpreter in pythons.items():
            assert run(interpreter, "-IS", program, "-v") == SAID, (python, other)
            _code, out, err = run(interpreter, "-IS", "-c", TRACE, program, "-v")
            file = out.splitlines()[2]
            assert not err and file.endswith("/ovmd.pyc" if other == python else "/ovmd.py"), (python, other)
        assert run(path, program, "-v") == SAID


def test_one_file_can_serve_several_pythons(pythons, tmp_path):
    program, _written = build.build("ovmd", tmp_path, compile_with=pythons.values())
    for interpreter in pythons.values():
        _code, out, err = run(interpreter, "-IS", "-c", TRACE, str(program), "-v")
        assert not err and out.splitlines()[2].endswith("/ovmd.pyc")


def test_the_same_bytes_each_time(pythons, python, programs, tmp_path):
    first = programs(python)
    with open(first, "rb") as program:
        interpreter = program.readline().split()[0][2:].decode()
    again, _written = build.build("ovmd", tmp_path, interpreter, [pythons[python]])
    assert again.read_bytes() == first.read_bytes()


def test_a_run_imports_little(ovmd, pythons, python, programs, environment):
    assert ovmd("-p", "k=v") == (0, b"", b"")
    code, out, err = run(pythons[python], "-IS", "-c", TRACE, str(programs(python)), "-g", "k", env=environment)
    value, status, _file, *modules = out.splitlines()
    assert (code, value, status, err) == (0, "v", "0", "")
    assert not EXPENSIVE & set(modules)


def test_a_python_without_sqlite_is_told_apart_from_a_defect(pythons, python, programs, tmp_path):
    lacking = "import sys; sys.modules['sqlite3'] = sys.modules['_sqlite3'] = None" + TRACE
    code, _out, err = run(pythons[python], "-IS", "-c", lacking, str(programs(python)), "-l", cwd=tmp_path)
    assert code == 3 and err.startswith("ovmd: this Python has no module ") and "sqlite3: install " in err


def test_it_is_found_and_run_like_any_command(programs, python, tmp_path):
    place = tmp_path / "a folder with blanks"
    place.mkdir()
    shutil.copy(programs(python), place / "ovmd")
    assert run("ovmd", "-v", env={"PATH": str(place)}) == SAID
    assert run("./ovmd", "-v", cwd=place) == SAID
    (tmp_path / "link").symlink_to(place / "ovmd")
    assert run(str(tmp_path / "link"), "-v") == SAID


def test_neither_folder_nor_environment_of_the_caller_get_into_it(programs, python, tmp_path):
    for name in ("os", "ovmd", "ovmd_options", "sitecustomize", "_start", "collections"):
        (tmp_path / (name + ".py")).write_text("raise SystemExit('not this one')")
    strange = {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "os.py"), "PYTHONHOME": "/nowhere"}
    assert run(str(programs(python)), "-v", cwd=tmp_path, env=dict(os.environ, **strange)) == SAID


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "xx_YY.ISO-8859-1"])
def test_the_locale_makes_no_difference(ovmd, other_side, locale):
    where = {"LC_ALL": locale}
    assert ovmd(b"-p", b"\xfc=\xc3\xbc\xff", environment=where) == (0, b"", b"")
    assert ovmd(b"-g", b"\xfc", environment=where) == (0, b"\xc3\xbc\xff\n", b"")
    missing = "ovmd: there is no parameter 'ü\\xfe': see 'ovmd --list' for those that there are\n".encode()
    assert ovmd(b"-g", b"\xc3\xbc\xfe", environment=where) == (1, b"", missing)
    assert other_side.heard() == [(b"\xfc", b"\xc3\xbc\xff")]
