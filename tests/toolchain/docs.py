# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the documentation: our pages by themselves, and that of plugins with antsibull-docs."""

import sys
import tempfile

from antsibull_docs.cli.antsibull_docs import main as antsibull

from toolchain.docs_site.faults import faults


def main():
    found = list(faults())
    for fault in found:
        print(fault)
    # A temporary folder whose name ends in an underscore is a link to its reader of documents: one run in forty fails.
    tempfile._RandomNameSequence.characters = "abcdefghijklmnopqrstuvwxyz0123456789"
    arguments = ["lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self"]
    sys.argv[1:] = [*arguments, "--check-extra-docs-refs", *sys.argv[1:]]
    return antsibull() or bool(found)


if __name__ == "__main__":
    sys.exit(main())
