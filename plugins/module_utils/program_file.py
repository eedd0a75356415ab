# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""How the files of a program become one that wants nothing but a Python. Which these are, programs/build.py knows.

It is a zip archive that Python runs. The start of a program is most of its run, hence two things
that a plain zipapp has not:

* **Bytecode.** Python keeps none for what it imports from an archive, and would compile all
  of it at each start. The archive has a folder of bytecode for each Python it was compiled
  with; others use the sources. (Bytecode beside the sources would do for Python 3.7 and
  later only: 3.6 compares a time stamp with the archive's, which has no time zone.)
* **No runpy.** Python runs an archive by way of runpy, whose imports take longer than the
  whole rest of a start. So the first line, which the kernel hands over as one argument,
  has the statement ``import _start``. ``python NAME`` works as well, only slower.

The first line also asks for ``-I`` and ``-S``: what root runs must not depend on the
caller's environment or home, and needs no site-packages. A program that wants libraries
goes without ``-S``.

What goes in alone decides what comes out, byte for byte, so a changed checksum means a
changed program. This module works alone: it may import nothing of the collection.
"""

import base64
import io
import json
import os
import subprocess
import zipfile

#: The Python of a target, unless told otherwise.
PYTHON = "/usr/bin/python3"

# Old kernels read no more than this of a first line, and cut it without a word.
_FIRST_LINE_LIMIT = 127
_FIRST_LINE = "#!{python} -{isolated}cimport sys;sys.path.insert(0,sys.argv.pop(1));import _start\n"
# REUSE-IgnoreStart
_LICENCE = "# SPDX-FileCopyrightText: 2026 The ovm.messaging authors\n# SPDX-License-Identifier: GPL-3.0-or-later\n"
# REUSE-IgnoreEnd
_MAIN = "import _start\n"
# Comes before the program's own __main__.py. A folder is named after the bytecode's magic
# number, which tells a Python's development versions apart, as its version does not.
_START = """\
import sys
from _frozen_importlib_external import MAGIC_NUMBER

if MAGIC_NUMBER.hex() in {magics}:
    sys.path.insert(0, sys.path[0] + "/" + MAGIC_NUMBER.hex())

"""

# Run by the Python whose bytecode is wanted, 3.6 or later: reads ``{path: source}`` as JSON,
# writes ``{"magic": hex, "modules": {path: base64}}``.
_COMPILER = r"""
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


class PythonMissing(BuildError):
    """The Python to compile for cannot be run."""


def check_python(python, libraries=False):
    """The first line of a program.

    :param str python: the Python that shall run it, as an absolute path on its machine.
    :param bool libraries: it wants some of that Python's site-packages.
    :rtype: bytes
    :raises BuildError: none can be made of that path.
    """
    first_line = _FIRST_LINE.format(python=python, isolated="I" if libraries else "IS").encode("utf-8")
    if not python.startswith("/") or len(python.split()) != 1 or len(first_line) > _FIRST_LINE_LIMIT:
        raise BuildError(
            "'%s' cannot be a program's Python: give an absolute path without blanks, of at most %d bytes"
            % (python, _FIRST_LINE_LIMIT - len(first_line) + len(python.encode("utf-8")))
        )
    return first_line


def compile_files(files, interpreter):
    """The bytecode of all modules among some files.

    :param files: ``{path in the archive: content}``, of str and bytes; of several programs, too.
    :param str interpreter: the Python to compile for, which has to run here.
    :returns: its magic number in hex, and ``{path in the archive: bytecode}``.
    :raises PythonMissing: it does not run.
    :raises BuildError: it does not understand a source.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PYTHONHASHSEED"] = "0"  # the order within a set goes into the bytecode
    sources = {path: content.decode("utf-8") for path, content in files.items() if _is_module(path)}
    try:
        # Not only for modules, so there is no run_command. Python 3.6 has no capture_output.
        done = subprocess.run(  # noqa: UP022 pylint: disable=ansible-bad-function
            [interpreter, "-sS", "-c", _COMPILER],
            input=json.dumps(sources, sort_keys=True).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=environment,
            check=False,
        )
    except OSError as problem:
        raise PythonMissing("%s does not run (%s)" % (interpreter, problem.strerror)) from problem
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or "exit code %d" % done.returncode
        raise BuildError("%s cannot compile the program (%s)" % (interpreter, said))
    found = json.loads(done.stdout.decode("ascii"))
    return found["magic"], {path: base64.b64decode(code) for path, code in found["modules"].items()}


def assemble(files, bytecodes=(), python=PYTHON, libraries=False):
    """Put a program together.

    :param files: its files: ``{path in the archive: content}``, of str and bytes.
    :param bytecodes: what compile_files() gave, of each Python. What is not among the files does not count.
    :param str python: see check_python().
    :param bool libraries: see check_python().
    :returns: the whole file, as bytes.
    :raises BuildError: see check_python().
    """
    first_line = check_python(python, libraries)
    content = dict(files)
    magics = sorted({magic for magic, _modules in bytecodes})
    content["_start.py"] = (_LICENCE + _START.format(magics=magics)).encode("ascii") + content["__main__.py"]
    content["__main__.py"] = (_LICENCE + _MAIN).encode("ascii")
    for magic, modules in bytecodes:
        content.update((magic + "/" + path + "c", modules[path + "c"]) for path in files if _is_module(path))
        # pkgutil and the like look for a package's data beside its modules.
        content.update((magic + "/" + path, files[path]) for path in files if not path.endswith(".py"))
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
