# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the programs: one self-contained file each, that wants nothing but a Python.

usage: python programs/build.py [--output DIR] [--python PYTHON] [--compile-with PYTHON]... [NAME...]

A program has the files of ``programs/NAME/`` at its root, and of the collection what they import,
under its full name, so that the imports are the same in a checkout. Modules are found by following
the import statements, those within functions too; so a program carries neither more nor less than it
may need. How a file is made of that: plugins/module_utils/program_file.py. A program with a file
``requirements.txt`` wants libraries that are installed on its machine.

Also a library: see build(). The target of the module ovm_program makes the file itself, out of what
collect() gives.
"""

import argparse
import ast
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
if __package__:
    from ..plugins.module_utils.program_file import PYTHON, BuildError, assemble, compile_files
else:  # as a command, wherever the collection is
    sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))
    from program_file import PYTHON, BuildError, assemble, compile_files

    del sys.path[0]

#: The collection's full name as a package; its modules live below ROOT.
PACKAGE = "ansible_collections.ovm.messaging"
#: What a program wants on top of the standard library; for pip, so not part of the program.
_REQUIREMENTS = "requirements.txt"
#: What completes its command line in shells; no part of it either.
_COMPLETIONS = "completions"


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


def completions(name, root=ROOT):
    """What completes a program's command line.

    :returns: shell -> content, of str and bytes.
    """
    folder = pathlib.Path(root, "programs", name, _COMPLETIONS)
    return {path.suffix[1:]: path.read_bytes() for path in sorted(folder.glob(name + ".*"))}


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
        inside = path.relative_to(home)
        if inside.parts[0] == _COMPLETIONS:
            continue
        # Python 2, which some scripts have, leaves its bytecode beside the sources.
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
            files[inside.as_posix()] = path.read_bytes()
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
