# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the programs: one self-contained file each, that wants nothing but a Python.

usage: python programs/build.py [--output DIR] [--python PYTHON] [--compile-with PYTHON]... [NAME...]

A program is a zip archive that Python runs: the files of ``programs/NAME/`` at its root,
and of the collection what they import, under its full name, so that the imports are the
same in a checkout. Modules are found by following the import statements, those within
functions too; so a program carries neither more nor less than it may need.

The start of a program is most of its run, hence two things that a plain zipapp has not:

* **Bytecode.** Python keeps none for what it imports from an archive, and would compile all
  of it at each start. The archive has a folder of bytecode for each Python it was compiled
  with; others use the sources. (Bytecode beside the sources would do for Python 3.7 and
  later only: 3.6 compares a time stamp with the archive's, which has no time zone.)
* **No runpy.** Python runs an archive by way of runpy, whose imports take longer than the
  whole rest of a start. So the first line, which the kernel hands over as one argument,
  has the statement ``import _start``. ``python NAME`` works as well, only slower.

The first line also asks for ``-I`` and ``-S``: what root runs must not depend on the
caller's environment or home, and needs no site-packages. A program with a file
``requirements.txt`` wants libraries that are installed there, and goes without ``-S``.

What goes in alone decides what comes out, byte for byte, so a changed checksum means a
changed program. Also a library: see build().
"""

import argparse
import ast
import base64
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: The collection's full name as a package; its modules live below ROOT.
PACKAGE = "ansible_collections.ovm.messaging"
#: The Python of a target, unless told otherwise.
PYTHON = "/usr/bin/python3"

# Old kernels read no more than this of a first line, and cut it without a word.
_FIRST_LINE_LIMIT = 127
_FIRST_LINE = "#!{python} -{isolated}cimport sys;sys.path.insert(0,sys.argv.pop(1));import _start\n"
#: What a program wants on top of the standard library; for pip, so not part of the program.
_REQUIREMENTS = "requirements.txt"
_LICENCE = "# SPDX-FileCopyrightText: 2026 The ovm.messaging authors\n# SPDX-License-Identifier: GPL-3.0-or-later\n"
_MAIN = "import _start\n"
# Comes before the program's own __main__.py. A folder is named after the bytecode's magic
# number, which tells a Python's development versions apart, as its version does not.
_START = """\
import sys
from _frozen_importlib_external import MAGIC_NUMBER

if MAGIC_NUMBER.hex() in {magics}:
    sys.path.insert(0, sys.path[0] + "/" + MAGIC_NUMBER.hex())

"""

#: Run by the Python whose bytecode is wanted, 3.6 or later, possibly on another machine: reads
#: ``{path: source}`` as JSON, writes ``{"magic": hex, "modules": {path: base64}}``.
COMPILER = r"""
import base64, importlib.util, json, marshal, sys
# What follows the magic number tells whether it fits the source beside it; there is none.
header = importlib.util.MAGIC_NUMBER + bytes(8 if sys.version_info < (3, 7) else 12)
modules = {}
for path, source in sorted(json.loads(sys.stdin.buffer.read().decode("utf-8")).items()):
    code = marshal.dumps(compile(source, path, "exec", dont_inherit=True))
    modules[path + "c"] = base64.b64encode(header + code).decode("ascii")
print(json.dumps({"magic": importlib.util.MAGIC_NUMBER.hex(), "modules": modules}))
"""


class BuildError(Exception):
    """A program cannot be built, and why."""


def names(root=ROOT):
    """The programs that there are.

    :rtype: list of str
    """
    return sorted(path.parent.name for path in pathlib.Path(root, "programs").glob("*/__main__.py"))


def requirements(name, root=ROOT):
    """Where a program says which libraries it wants, for pip.

    :returns: the file's path, or None for a program that wants nothing but Python.
    """
    path = pathlib.Path(root, "programs", name, _REQUIREMENTS)
    return path if path.is_file() else None


def build(name, output, python=PYTHON, compile_with=(), root=ROOT):
    """Build one program, in place of what was there at once and only where it differs.

    :param str name: which.
    :param output: the directory to put it in; made where it is missing.
    :param str python: the Python that shall run it, as an absolute path on its machine.
    :param compile_with: Pythons of this machine to take bytecode from.
    :param root: the collection.
    :returns: its path, and whether it was written.
    :raises BuildError: saying what is missing or wrong.
    :raises OSError: it cannot be written.
    """
    files = collect(name, root)
    bytecodes = [compile_files(files, interpreter) for interpreter in compile_with]
    data = assemble(files, bytecodes, python, libraries=requirements(name, root) is not None)
    path = pathlib.Path(output, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path, _replace(path, data)


def collect(name, root=ROOT):
    """All that a program consists of.

    :returns: ``{path in the archive: content}``, of str and bytes.
    :raises BuildError: there is no such program, or it imports what is not there.
    """
    root = pathlib.Path(root)
    home = root / "programs" / name
    if name not in names(root):
        raise BuildError("there is no program '%s'; there are: %s" % (name, ", ".join(names(root))))
    files = {}
    for path in sorted(home.rglob("*")):
        # Python 2, which some scripts have, leaves its bytecode beside the sources.
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            files[path.relative_to(home).as_posix()] = path.read_bytes()
    files.pop(_REQUIREMENTS, None)
    wanted = [
        module for path, content in files.items() if path.endswith(".py") for module in _imports(content, path, "")
    ]
    seen = set()
    while wanted:
        module, needed = wanted.pop()
        if module in seen or not (module + ".").startswith(PACKAGE + "."):
            continue
        found = _find(module, root)
        if found is None:
            if needed:
                raise BuildError("the program '%s' imports %s, which is not there" % (name, module))
            continue  # a name within a module
        seen.add(module)
        path, content, package = found
        files[path] = content
        wanted += _imports(content, path, package)
        # Python imports the packages that a module is in, too.
        wanted.append((module.rpartition(".")[0], True))
    for path in list(files):
        for parent in pathlib.PurePosixPath(path).parents:
            if parent.parts[:1] == ("ansible_collections",):
                # In a checkout some packages go without; here that would mean a slow search.
                files.setdefault(str(parent / "__init__.py"), b"")
    return files


def compile_files(files, interpreter):
    """The bytecode of a program's modules.

    :param files: see collect().
    :param str interpreter: the Python to compile for, which has to run here.
    :returns: what COMPILER gives.
    :raises BuildError: it does not run, or does not understand a source.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"  # the order within a set goes into the bytecode
    try:
        done = subprocess.run(
            [interpreter, "-sS", "-c", COMPILER],
            input=compiler_input(files),
            capture_output=True,
            cwd="/",
            env=environment,
            check=False,
        )
    except OSError as problem:
        raise BuildError("%s does not run (%s)" % (interpreter, problem.strerror)) from problem
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise BuildError("%s cannot compile the program (%s)" % (interpreter, last))
    return json.loads(done.stdout)


def compiler_input(files):
    """What COMPILER wants on its standard input.

    :rtype: bytes
    """
    return json.dumps(
        {path: content.decode("utf-8") for path, content in files.items() if _is_module(path)}, sort_keys=True
    ).encode("ascii")


def assemble(files, bytecodes=(), python=PYTHON, libraries=False):
    """Put a program together.

    :param files: see collect().
    :param bytecodes: what COMPILER gave, of each Python.
    :param str python: see build().
    :param bool libraries: it wants some of that Python's site-packages.
    :returns: the whole file, as bytes.
    :raises BuildError: no first line can be made of that Python's path.
    """
    first_line = _FIRST_LINE.format(python=python, isolated="I" if libraries else "IS").encode("utf-8")
    if not python.startswith("/") or len(python.split()) != 1 or len(first_line) > _FIRST_LINE_LIMIT:
        raise BuildError(
            "'%s' cannot be a program's Python: give an absolute path without blanks, of at most %d bytes"
            % (python, _FIRST_LINE_LIMIT - len(first_line) + len(python.encode("utf-8")))
        )
    content = dict(files)
    magics = sorted({bytecode["magic"] for bytecode in bytecodes})
    content["_start.py"] = (_LICENCE + _START.format(magics=magics)).encode("ascii") + content["__main__.py"]
    content["__main__.py"] = (_LICENCE + _MAIN).encode("ascii")
    for bytecode in bytecodes:
        for path, code in bytecode["modules"].items():
            content[bytecode["magic"] + "/" + path] = base64.b64decode(code)
        # pkgutil and the like look for a package's data beside its modules.
        content.update((bytecode["magic"] + "/" + path, files[path]) for path in files if not path.endswith(".py"))
    archive = io.BytesIO()
    archive.write(first_line)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:  # unpacking would take longer than reading
        for path in sorted(content):
            # A fixed time, the first that there is: when it was built must not matter.
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            target.writestr(entry, content[path])
    return archive.getvalue()


def _is_module(path):
    return path.endswith(".py") and path != "__main__.py"


def _find(module, root):
    """A module of the collection: its path in the archive, its content and its package; None where there is none."""
    inside = module[len(PACKAGE) + 1 :].replace(".", "/")
    path = module.replace(".", "/")
    if inside and (root / (inside + ".py")).is_file():
        return path + ".py", (root / (inside + ".py")).read_bytes(), module.rpartition(".")[0]
    if (root / inside).is_dir():
        init = root / inside / "__init__.py"
        return path + "/__init__.py", init.read_bytes() if init.is_file() else b"", module
    return None


def _imports(content, path, package):
    """What a module imports: pairs of a full name, and whether it must be a module.

    :param str package: the package that its relative imports start from.
    """
    try:
        tree = ast.parse(content, path)
    except SyntaxError as problem:
        raise BuildError("%s, line %s: %s" % (path, problem.lineno, problem.msg)) from problem
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, True
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (base, node.module) if part)
            yield base, True
            for alias in node.names:
                yield base + "." + alias.name, False


def _replace(path, data):
    """Have exactly this in a file, at once; returns whether it had to be written."""
    try:
        if path.read_bytes() == data and path.stat().st_mode & 0o7777 == 0o755:
            return False
    except OSError:
        pass
    handle, temporary = tempfile.mkstemp(prefix="." + path.name + ".", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(data)
            os.fchmod(target.fileno(), 0o755)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return True


def main(arguments=None):
    """The command line.

    :returns: the exit code.
    """
    parser = argparse.ArgumentParser(prog="build.py", description="Build the programs, one self-contained file each.")
    parser.add_argument("--output", metavar="DIR", default=".", help="where to put them (default: here)")
    parser.add_argument("--python", default=PYTHON, help="the Python that shall run them (default: %(default)s)")
    parser.add_argument(
        "--compile-with",
        metavar="PYTHON",
        action="append",
        help="a Python to compile them for; may be given several times (default: that of --python, where it runs here)",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="which programs (default: all)")
    options = parser.parse_args(arguments)
    compile_with = options.compile_with
    if compile_with is None:
        compile_with = [options.python] if os.access(options.python, os.X_OK) else []
    try:
        for name in options.names or names():
            path, written = build(name, options.output, options.python, compile_with)
            notes = ("" if compile_with else ", without bytecode") + ("" if written else ", as it was")
            print("%s: %d bytes%s" % (path, path.stat().st_size, notes))
    except (BuildError, OSError) as problem:
        print("build.py: %s" % problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
