# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What ovm_program does on its target. Private to this collection.

The controller brings the sources, and this target makes programs of them, with its own Python.
"""

import hashlib
import json
import os
import sys
import tempfile

from .problem import Problem
from .program_file import BuildError, PythonMissing, assemble, check_python, compile_files
from .version import VERSION

PROGRAMS = ("ovm-chkconfig", "ovm-gateway", "ovm-template-config", "ovm_vmmessage", "ovmd")
OPTIONS = dict(
    name=dict(type="list", elements="str", required=True, choices=list(PROGRAMS)),
    dest=dict(type="path", required=True),
    state=dict(type="str", choices=["present", "absent"], default="present"),
    python=dict(type="path"),
    compile=dict(type="bool", default=True),
    completions=dict(type="path"),
    mode=dict(type="raw", default="0755"),
    # What pack() has made, for the controller's part to say.
    _sources=dict(type="path"),
)


#: Where shells look for what completes a program's command line, below a directory such as /usr/share. Of zsh's two
#: places, Debian's own comes first.
COMPLETIONS = {
    "bash": ("bash-completion/completions/%s",),
    "fish": ("fish/vendor_completions.d/%s.fish",),
    "zsh": ("zsh/vendor-completions/_%s", "zsh/site-functions/_%s"),
}


class CannotInstall(Problem):
    """A program cannot be put where it shall be."""


def pack(programs):
    """What a target needs to make programs.

    :param programs: name to its files, see build.collect(), whether it wants libraries, and its completions, see
        build.completions().
    :rtype: bytes
    """
    contents = {}  # type: dict[str, int]  # most are of several programs

    def numbers(files):
        return {path: contents.setdefault(raw.decode("utf-8"), len(contents)) for path, raw in files.items()}

    found = {
        name: dict(files=numbers(files), libraries=libraries, completions=numbers(completions))
        for name, (files, libraries, completions) in programs.items()
    }
    return json.dumps(dict(programs=found, contents=list(contents)), sort_keys=True).encode("ascii")


def unpack(data):
    """What pack() was given."""
    found = json.loads(data.decode("ascii"))
    contents = [text.encode("utf-8") for text in found["contents"]]

    def files(numbers):
        return {path: contents[number] for path, number in numbers.items()}

    return {
        name: (files(program["files"]), program["libraries"], files(program["completions"]))
        for name, program in found["programs"].items()
    }


def run(module):
    """Do the module's work and end it: with its result, or with what went wrong."""
    try:
        result = _absent(module) if module.params["state"] == "absent" else _present(module)
    except (Problem, BuildError) as problem:
        module.fail_json(msg=str(problem))
    except OSError as problem:
        module.fail_json(msg="%s: %s" % (problem.filename or module.params["dest"], problem.strerror))
    programs = result["programs"]
    result["changed"] = any(program["changed"] for program in programs)
    diffs = [diff for program in programs for diff in program.pop("diff", [])]
    if module._diff:
        result["diff"] = diffs
    if len(programs) == 1:
        result.update(dest=programs[0]["dest"])
        if "checksum" in programs[0]:
            result.update(checksum=programs[0]["checksum"])
    module.exit_json(**result)


def _absent(module):
    programs = []
    for name, dest in _places(module):
        paths = [path for path in [dest] + _all_completions(module, name) if os.path.lexists(path)]
        if not module.check_mode:
            for path in paths:
                os.unlink(path)
        programs.append(dict(name=name, dest=dest, changed=bool(paths)))
    return dict(programs=programs)


def _present(module):
    """Everything is made before anything is replaced."""
    options = module.params
    python = options["python"] or sys.executable
    places = _places(module)
    with open(options["_sources"], "rb") as source:
        sources = unpack(source.read())
    for name, dest in places:
        if not os.path.isdir(os.path.dirname(dest)):
            raise CannotInstall("there is no directory %s" % os.path.dirname(dest), "make it first")
        check_python(python, sources[name][1])
    bytecodes = _compile(module, [sources[name][0] for name, _dest in places], python) if options["compile"] else []
    built = [(name, dest, assemble(sources[name][0], bytecodes, python, sources[name][1])) for name, dest in places]
    programs = [_install(module, name, dest, data) for name, dest, data in built]
    if options["completions"] is not None:
        for program in programs:
            _complete(module, program, sources[program["name"]][2])
    return dict(programs=programs, program_version=VERSION, python=python, compiled=bool(bytecodes))


def _places(module):
    """Each program's name and path."""
    names, dest = list(dict.fromkeys(module.params["name"])), module.params["dest"]
    inside = dest.endswith("/") or os.path.isdir(dest)
    if len(names) > 1 and not inside:
        raise CannotInstall("%s cannot be the file of several programs" % dest, "end it with a slash")
    places = [(name, os.path.join(dest, name) if inside else dest) for name in names]
    for _name, path in places:
        if os.path.isdir(path) and not os.path.islink(path):
            raise CannotInstall("%s is a directory, where the program shall be" % path, "remove it first")
    return places


def _compile(module, programs, python):
    """The bytecode of all programs, at once: they share most of it.

    :returns: what assemble() wants; nothing in check mode where that Python is not there (yet).
    """
    files = {}  # type: dict[str, bytes]
    for program in programs:
        files.update(program)
    try:
        return [compile_files(files, python)]
    except PythonMissing:
        if module.check_mode:
            module.warn("%s is not there yet: in check mode, a program for it counts as changed" % python)
            return []
        raise CannotInstall(
            "there is no %s on the target, which shall run the program" % python,
            "install it, or name another with the option python",
        ) from None
    except BuildError as problem:
        raise CannotInstall(str(problem), "name a Python 3.6 or later with the option python") from None


def _all_completions(module, name):
    """All places where completions of a program may be."""
    base = module.params["completions"]
    return [os.path.join(base, path % name) for paths in COMPLETIONS.values() for path in paths] if base else []


def _complete(module, program, completions):
    """Have what completes a program's command line where shells look for it."""
    base = module.params["completions"]
    # As the system's own packages have it: fixed, so that a second run looks there, too.
    debian = os.path.exists(os.path.join(os.path.dirname(os.path.dirname(base.rstrip("/"))), "etc/debian_version"))
    program["completions"] = []
    for shell, data in sorted(completions.items()):
        path = os.path.join(base, COMPLETIONS[shell][0 if debian else -1] % program["name"])
        _make_directories(module, os.path.dirname(path))
        installed = _install(module, program["name"], path, data, "0644")
        program["changed"] = program["changed"] or installed["changed"]
        program["diff"] = program.get("diff", []) + installed.get("diff", [])
        program["completions"].append(path)


def _make_directories(module, path):
    """A directory for everybody to read, whatever the umask, with those around it."""
    if os.path.isdir(path) or module.check_mode:
        return
    _make_directories(module, os.path.dirname(path))
    os.mkdir(path)
    os.chmod(path, 0o755)  # noqa: S103 - as all directories there


def _install(module, name, dest, data, mode=None):
    """Have a program's file at its place, replaced at once; then its owner, mode and the like."""
    before, after = module.sha1(dest) if os.path.isfile(dest) and not os.path.islink(dest) else None, _checksum(data)
    changed = before != after
    if changed and not module.check_mode:
        _replace(module, dest, data)
    program = dict(name=name, dest=dest, checksum=after)
    diff = {}  # type: dict
    attributes = module.load_file_common_arguments(dict(module.params, mode=mode or module.params["mode"]), path=dest)
    program["changed"] = module.set_fs_attributes_if_different(attributes, changed, diff)
    if changed:
        # The content is nothing to be looked at.
        diff = dict(
            before="checksum %s\n" % before if before else "", after="version %s, checksum %s\n" % (VERSION, after)
        )
    if program["changed"]:
        program["diff"] = [dict(diff, before_header=dest, after_header=dest)]
    return program


def _replace(module, dest, data):
    handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(data)
        module.atomic_move(temporary, dest, unsafe_writes=module.params["unsafe_writes"])
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _checksum(data):
    return hashlib.sha1(data).hexdigest()  # noqa: S324 - as copy and stat do
