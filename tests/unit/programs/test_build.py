# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder: what goes into a program, that it is the same each time, and how it is put in place."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile

import pytest

from ansible_collections.ovm.messaging.programs import build

CORES = "ansible_collections/ovm/messaging/plugins/module_utils/"


@pytest.fixture
def checkout(tmp_path):
    """A small collection with one program, to be changed at will."""
    files = {
        "programs/hello/__main__.py": "from hello import main\nmain()\n",
        "programs/hello/hello.py": (
            "from ansible_collections.ovm.messaging.plugins.module_utils.one import part\n"
            "def main():\n"
            "    import ansible_collections.ovm.messaging.plugins.module_utils.two.late as late\n"
            "    print(part.WORD, late.WORD, __file__)\n"
        ),
        "programs/hello/page.html": "<p>data</p>",
        "plugins/module_utils/one/__init__.py": "",
        "plugins/module_utils/one/part.py": "from .deep import name\nfrom ..two import late\nWORD = name\n",
        "plugins/module_utils/one/deep.py": "import os, sys\nname = 'one'\n",
        "plugins/module_utils/one/unused.py": "",
        "plugins/module_utils/two/late.py": "WORD = 'two'\n",
    }
    for name, text in files.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "checkout"


@pytest.fixture
def short_path():
    """A folder whose path fits a first line."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield pathlib.Path(folder)


def test_a_program_has_what_it_imports_and_no_more(checkout):
    (checkout / "programs/hello/__pycache__").mkdir()
    for left in ("__pycache__/hello.cpython-36.pyc", "hello.pyc"):
        (checkout / "programs/hello" / left).write_bytes(b"bytecode that a run has left behind")
    packages = ["", "ovm/", "ovm/messaging/", "ovm/messaging/plugins/"]
    cores = ["", "one/", "two/"]
    assert sorted(build.collect("hello", checkout)) == sorted(
        ["__main__.py", "hello.py", "page.html"]
        + ["ansible_collections/%s__init__.py" % name for name in packages]
        + [CORES + name + "__init__.py" for name in cores]
        + [CORES + name for name in ("one/part.py", "one/deep.py", "two/late.py")]
    )


def test_ovmd_carries_no_tests_no_modules_and_not_the_hosts_side():
    files = build.collect("ovmd")
    assert {"ovmd.py", CORES + "channel/guest_end.py", CORES + "guest/ovmapi.py", CORES + "version.py"} <= set(files)
    assert CORES + "channel/host_end.py" not in files and CORES + "values.py" not in files
    assert all(path.startswith((CORES, "ovmd", "__main__")) or path.endswith("/__init__.py") for path in files)


def test_every_program_can_be_built(tmp_path):
    assert "ovmd" in build.names()
    for name in build.names():
        path, written = build.build(name, tmp_path)
        assert written and zipfile.is_zipfile(path)


def test_what_programs_share_is_the_same_in_all():
    """ovm_program has the modules of several compiled at once."""
    shared = {}
    for name in build.names():
        for path, content in build.collect(name).items():
            assert path == "__main__.py" or shared.setdefault(path, content) == content, (name, path)


def test_the_program_runs_from_anywhere_with_nothing_but_itself(checkout, tmp_path):
    path, _written = build.build("hello", tmp_path / "bin", compile_with=[sys.executable], root=checkout)
    for command in ([sys.executable, "-IS", str(path)], [sys.executable, "-IS", os.path.relpath(path, tmp_path)]):
        done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
        word, late, file = done.stdout.split()
        assert (word, late) == ("one", "two") and file.endswith("/hello.pyc") and not done.stderr
    assert zipfile.ZipFile(path).read("page.html") == b"<p>data</p>"


def test_a_program_that_wants_libraries_finds_them_and_does_not_carry_the_list(checkout, tmp_path, short_path):
    venv.create(short_path, symlinks=True)
    python = short_path / "bin" / "python3"
    library = next(short_path.glob("lib/python*/site-packages")) / "library.py"
    library.write_text("NAME = 'library'\n")
    home = checkout / "programs" / "hello"
    (home / "hello.py").write_text("import library, sys\ndef main():\n    print(library.NAME, sys.flags.isolated)\n")
    assert build.requirements("hello", checkout) is None
    without, _written = build.build("hello", tmp_path / "bin", str(python), root=checkout)
    assert "library" in subprocess.run([without], capture_output=True, text=True, check=False).stderr
    (home / "requirements.txt").write_text("library>=1,<2\n")
    assert build.requirements("hello", checkout) == home / "requirements.txt"
    program, _written = build.build("hello", tmp_path / "bin", str(python), root=checkout)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "library 1\n"
    assert "requirements.txt" not in zipfile.ZipFile(program).namelist()


@pytest.mark.parametrize("compile_with", [[], [sys.executable]], ids=["sources", "bytecode"])
def test_packages_find_their_data(checkout, tmp_path, compile_with):
    home = checkout / "programs" / "hel-lo"
    (home / "web" / "templates").mkdir(parents=True)
    (home / "web" / "templates" / "page.html").write_text("<p>page</p>")
    (home / "web" / "__init__.py").write_text(
        "import pkgutil\ndef main():\n    print(pkgutil.get_data(__name__, 'templates/page.html').decode())\n"
    )
    (home / "__main__.py").write_text("import web\nweb.main()\n")
    path, _written = build.build("hel-lo", tmp_path / "bin", compile_with=compile_with, root=checkout)
    done = subprocess.run([sys.executable, "-IS", path], capture_output=True, text=True, check=True)
    assert path.name == "hel-lo" and done.stdout == "<p>page</p>\n"


def test_the_same_input_gives_the_same_bytes(checkout, tmp_path):
    def built(root, output):
        return build.build("hello", output, compile_with=[sys.executable], root=root)[0].read_bytes()

    first = built(checkout, tmp_path / "a")
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(checkout, elsewhere)
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    assert built(elsewhere, tmp_path / "b") == first
    (elsewhere / "plugins/module_utils/one/unused.py").write_text("changed = True")
    assert built(elsewhere, tmp_path / "b") == first
    (elsewhere / "plugins/module_utils/two/late.py").write_text("WORD = 'zwei'")
    assert built(elsewhere, tmp_path / "b") != first


def test_it_is_put_in_place_at_once_and_only_when_it_differs(checkout, tmp_path):
    path, written = build.build("hello", tmp_path / "bin", root=checkout)
    first = path.stat()
    assert written and first.st_mode & 0o7777 == 0o755
    assert build.build("hello", tmp_path / "bin", root=checkout) == (path, False)
    assert path.stat().st_ino == first.st_ino and path.stat().st_mtime_ns == first.st_mtime_ns
    path.chmod(0o600)
    assert build.build("hello", tmp_path / "bin", root=checkout) == (path, True)
    with path.open("rb") as running:  # who has the old file open keeps it
        (checkout / "programs/hello/page.html").write_text("new")
        assert build.build("hello", tmp_path / "bin", root=checkout) == (path, True)
        assert os.fstat(running.fileno()).st_ino != path.stat().st_ino
    assert os.listdir(tmp_path / "bin") == ["hello"]


def test_a_build_that_fails_leaves_what_was_there(checkout, tmp_path, monkeypatch):
    path, _written = build.build("hello", tmp_path / "bin", root=checkout)
    before = path.read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    (checkout / "programs/hello/page.html").write_text("new")
    monkeypatch.setattr(build.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        build.build("hello", tmp_path / "bin", root=checkout)
    assert path.read_bytes() == before and os.listdir(tmp_path / "bin") == ["hello"]


@pytest.mark.parametrize(
    "change, text",
    [
        ({"plugins/module_utils/two/late.py": None}, "the program 'hello' imports .*two.late, which is not there"),
        ({"plugins/module_utils/one/deep.py": "def"}, r".*one/deep.py, line 1: "),
        ({"plugins/module_utils/one/part.py": "from ..gone import x"}, "the program 'hello' imports .*gone, which"),
        ({"programs/hello/__main__.py": None}, "there is no program 'hello'; there are: $"),
    ],
)
def test_what_cannot_be_built(checkout, tmp_path, change, text):
    for name, content in change.items():
        if content is None:
            (checkout / name).unlink()
        else:
            (checkout / name).write_text(content)
    with pytest.raises(build.BuildError, match=text):
        build.build("hello", tmp_path / "bin", root=checkout)
    assert not (tmp_path / "bin").exists()


@pytest.mark.parametrize("python", ["python3", "/usr/bin/env python3", "/" + "x" * 127])
def test_a_first_line_that_a_kernel_would_not_take(checkout, tmp_path, python):
    with pytest.raises(build.BuildError, match="cannot be a program's Python"):
        build.build("hello", tmp_path / "bin", python, root=checkout)


def test_the_first_line_fits_old_kernels_for_the_pythons_of_known_systems():
    for python in ("/usr/bin/python3", "/usr/libexec/platform-python", "/usr/local/bin/python3.13"):
        first_line = build.assemble({"__main__.py": b""}, python=python).partition(b"\n")[0]
        assert first_line.startswith(b"#!" + python.encode() + b" -IS") and len(first_line) < 127


def test_a_python_that_cannot_compile(checkout, tmp_path):
    with pytest.raises(build.BuildError, match="/no/python does not run"):
        build.build("hello", tmp_path / "bin", compile_with=["/no/python"], root=checkout)
    with pytest.raises(build.BuildError, match="cannot compile the program"):
        build.build("hello", tmp_path / "bin", compile_with=[shutil.which("false")], root=checkout)


def test_the_command(tmp_path):
    command = [sys.executable, str(build.ROOT / "programs" / "build.py"), "--output", str(tmp_path)]
    command += ["--compile-with", sys.executable]
    done = subprocess.run([*command, "ovmd"], capture_output=True, text=True, check=True)
    size = (tmp_path / "ovmd").stat().st_size
    assert done.stdout == "%s: %d bytes\n" % (tmp_path / "ovmd", size)
    again = subprocess.run([*command, "ovmd"], capture_output=True, text=True, check=True)
    assert again.stdout == "%s: %d bytes, as it was\n" % (tmp_path / "ovmd", size)
    bare = [*command[:-2], "--python", "/opt/python", "ovmd"]
    without = subprocess.run(bare, capture_output=True, text=True, check=True)
    assert without.stdout.endswith(" bytes, without bytecode\n")
    assert (tmp_path / "ovmd").read_bytes().startswith(b"#!/opt/python -IS")
    failed = subprocess.run([*command, "nope"], capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and failed.stderr.startswith("build.py: there is no program 'nope'; there are: ")
