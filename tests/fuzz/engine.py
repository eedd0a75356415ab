# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One target under atheris, for as long as it takes.

usage: python -m fuzz.engine NAME OPTION... CORPUS

The options are libFuzzer's; toolchain/fuzz.py gives them.
"""

import sys

import atheris

from fuzz import load

#: What atheris watches: code elsewhere leads nowhere.
WATCHED = ["ansible_collections.ovm.messaging", "templateconfig", "ovmd", "ovmd_options", "ovmd_daemon", "ovmd_text"]


def main():
    with atheris.instrument_imports(include=WATCHED):
        target = load(sys.argv[1])
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
