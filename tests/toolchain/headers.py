# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that every file says whose it is and under which licence, and that vendored files are upstream's.

``reuse lint`` knows the rules of REUSE 3.3. Which folder is under which licence is this repository's own.
"""

import fnmatch
import importlib.util
import json
import pathlib
import subprocess
import sys

from toolchain import ROOT

#: Shared code that modules carry to a target is BSD, as is Ansible's own; all else is GPL.
EXPECTED = [
    ("plugins/module_utils/_vendor/pyxs/__init__.py", "BSD-2-Clause"),
    ("plugins/module_utils/_vendor/*", "LGPL-3.0-only"),
    ("plugins/module_utils/*", "BSD-2-Clause"),
    ("*", "GPL-3.0-or-later"),
]
#: Code of others, and the installed package that it must equal.
VENDORED = {"plugins/module_utils/_vendor/pyxs": "pyxs"}
#: Files that only name what was vendored, and are ours.
OWN = ["__init__.py"]


def reuse(*options):
    """Run ``reuse lint``.

    :returns: what it printed.
    :rtype: str
    """
    return subprocess.run(
        ["reuse", "lint", *options], cwd=ROOT, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ).stdout


def licence_faults():
    """What is wrong with the headers, a line each."""
    yield from reuse("--lines").splitlines()
    files = json.loads(reuse("--json"))["files"]
    for file in sorted(files, key=lambda file: file["path"]):
        licences = {expression["value"] for expression in file["spdx_expressions"]}
        [expected, *_less] = [licence for pattern, licence in EXPECTED if fnmatch.fnmatchcase(file["path"], pattern)]
        # reuse has said which have none
        if licences and licences != {expected}:
            yield f"{file['path']}: is under {', '.join(sorted(licences))}, should be {expected}"


def vendored_faults():
    """Where vendored files differ from their upstream, a line each."""
    for folder, package in VENDORED.items():
        spec = importlib.util.find_spec(package)
        upstream = pathlib.Path(spec.submodule_search_locations[0])
        copies = [path for path in sorted((ROOT / folder).glob("*.py")) if path.name not in OWN]
        if not copies:
            yield f"{folder}: nothing is vendored there"
        for copy in copies:
            if copy.read_bytes() != (upstream / copy.name).read_bytes():
                yield f"{copy.relative_to(ROOT)}: is not the file of {package}"


def main():
    faults = [*licence_faults(), *vendored_faults()]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
