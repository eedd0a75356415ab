# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that every file says whose it is and under which licence, and that vendored files are upstream's.

The rules are those of REUSE 3.3 as far as this repository uses them: a header of two SPDX
lines, or an entry in REUSE.toml for files that cannot have one.
"""

import fnmatch
import importlib.util
import pathlib
import re
import subprocess
import sys
import tomllib

from toolchain import ROOT

#: Shared code that modules carry to a target is BSD, as is Ansible's own; all else is GPL.
EXPECTED = [("plugins/module_utils/*", "BSD-2-Clause"), ("*", "GPL-3.0-or-later")]
#: Licence texts say it all themselves.
TEXTS = ["LICENSE", "LICENSES/*"]
#: Code of others, and the installed package that it must equal.
VENDORED = {"plugins/module_utils/_vendor/pyxs": "pyxs"}
#: Files that only name what was vendored, and are ours.
OWN = ["__init__.py"]

HEADER = re.compile(r"SPDX-License-Identifier: *([A-Za-z0-9.+-]+(?: (?:AND|OR) [A-Za-z0-9.+-]+)*)")
COPYRIGHT = re.compile(r"SPDX-FileCopyrightText: *\d{4} \S")


def files():
    """All files that git has or would add.

    :rtype: list of str
    """
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    names = [name for name in set(listing.stdout.split("\0")) if name]
    # Nobody owns an empty file, and ansible-test wants some to be empty.
    return sorted(name for name in names if (ROOT / name).is_file() and (ROOT / name).stat().st_size)


def annotated():
    """Patterns of REUSE.toml, with the licence that they declare.

    :rtype: list of tuple of str and str
    """
    entries = tomllib.loads((ROOT / "REUSE.toml").read_text())["annotations"]
    return [
        (pattern.replace("**", "*"), entry["SPDX-License-Identifier"])
        for entry in entries
        for pattern in ([entry["path"]] if isinstance(entry["path"], str) else entry["path"])
    ]


def first(patterns, name):
    """The first entry whose pattern fits a name.

    :rtype: str or None
    """
    return next((value for pattern, value in patterns if fnmatch.fnmatchcase(name, pattern)), None)


def licence_faults():
    """What is wrong with the headers, a line each."""
    declared = annotated()
    for name in files():
        if first([(pattern, True) for pattern in TEXTS], name):
            continue
        licence = first(declared, name)
        if licence is None:
            # A header is at the top, below a #! or an encoding line at most.
            head = "\n".join((ROOT / name).read_text(encoding="utf-8", errors="replace").split("\n")[:12])
            found = HEADER.search(head)
            if not found or not COPYRIGHT.search(head):
                yield f"{name}: no SPDX-FileCopyrightText and SPDX-License-Identifier near the top"
                continue
            licence = found.group(1)
            expected = first(EXPECTED, name)
            if licence != expected:
                yield f"{name}: is under {licence}, should be {expected}"
        if not (ROOT / "LICENSES" / (licence + ".txt")).exists():
            yield f"{name}: there is no text of {licence} in LICENSES/"


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
