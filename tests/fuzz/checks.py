# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to hold of anything that comes out."""

import contextlib
import json
import unicodedata

from ansible_collections.ovm.messaging.plugins.module_utils.problem import Problem

#: Unicode's categories of what is not to be seen, or steers how the rest is shown.
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
#: Characters of the longest error that anybody wants to read.
_LONGEST = 20000


def visible(text, but=""):
    """See that a text is one line that steers no terminal.

    :param str but: characters that are all right.
    """
    odd = {c for c in text if unicodedata.category(c) in _UNSEEN and c not in but}
    if odd:
        raise AssertionError("a text has %a in it" % sorted(odd))


def writable(what):
    """See that all texts in something of JSON's kinds are valid Unicode, and that JSON itself can be made of it."""
    json.dumps(what, ensure_ascii=False, allow_nan=False).encode("utf-8")


@contextlib.contextmanager
def only(*kinds):
    """Nothing but errors of these kinds may come out of the block, each with a text that can be read."""
    try:
        yield
    except kinds as problem:
        if isinstance(problem, Problem):
            text = str(problem)
            if not problem.text or len(text) > _LONGEST:
                raise AssertionError("an error of %d characters" % len(text)) from problem


@contextlib.contextmanager
def no_secret(*secrets):
    """Errors may come out of the block, and pass, but with none of these texts in them."""
    try:
        yield
    except Problem as problem:
        for secret in secrets:
            if secret in str(problem) or any(secret in str(part) for part in problem.args):
                raise AssertionError("an error tells a secret") from problem
        raise
