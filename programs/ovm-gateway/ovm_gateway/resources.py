# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a resource of the REST interface is, and what a request for it may carry. Pure.

The same facts check requests and describe the interface, so that neither can differ from the other.
"""

import re
import urllib.parse
from collections import namedtuple

from ansible_collections.ovm.messaging.plugins.module_utils.channel.message import display

from .errors import Refusal

#: Digits of a number in an argument.
_DIGITS = 15
# Arguments that are looked at, so that nobody has us look at many.
_ARGUMENTS = 20
#: What any request may be refused for.
_ALWAYS = ("LOGIN_MISSING", "LOGIN_INVALID", "TOO_MANY", "HEAD_TOO_LARGE", "QUERY_PARAMETER", "NOT_ACCEPTABLE",
           "FAILED", "UNAVAILABLE")  # fmt: skip

Asked = namedtuple("Asked", ("request", "id", "query"))
Asked.__doc__ = "A request: Starlette's, the id in its address, and its arguments with what they are unless given."


class Identity:
    """The part of an address that names an object.

    :param str kind: of what: ``a Vm``.
    :param str pattern: what such an id looks like.
    :param str remedy: what to do where it does not.
    """

    def __init__(self, kind, pattern, remedy=""):
        self.kind = kind
        self._pattern, self._remedy = pattern, ": " + remedy if remedy else ""

    @property
    def schema(self):
        return {"type": "string", "pattern": "^%s$" % self._pattern}

    def read(self, text):
        """The id that a text is.

        :raises Refusal: it is none.
        """
        if not re.fullmatch(self._pattern, text):
            raise Refusal("ID_TYPE", "'%s' is no id of %s%s" % (shown(text), self.kind, self._remedy))
        return text


class Choice:
    """An argument that is one of a few words.

    :param values: these words.
    :param str default: what it is where it is not given.
    :param str summary: what it is about.
    """

    def __init__(self, name, values, default, summary):
        self.name, self.default, self.summary = name, default, summary
        self._values = values

    @property
    def schema(self):
        return {"type": "string", "enum": list(self._values), "default": self.default}

    def read(self, text):
        if text not in self._values:
            raise Refusal("INVALID_VALUE", "%s is to be %s, in this spelling" % (self.name, " or ".join(self._values)))
        return text


class Whole:
    """An argument that is a whole number."""

    default = None

    def __init__(self, name, summary):
        self.name, self.summary = name, summary

    @property
    def schema(self):
        return {"type": "integer", "minimum": 0, "maximum": 10**_DIGITS - 1}

    def read(self, text):
        if not re.fullmatch("[0-9]{1,%d}" % _DIGITS, text):
            raise Refusal("INVALID_VALUE", "%s is to be a whole number" % self.name)
        return int(text)


class Resource:
    """Something to ask for.

    :param str path: below the interface's base; ``{id}`` stands for an id.
    :param work: called with an Asked, gives what is answered.
    :param str summary: what it is.
    :param gives: the name of what the answer is, a list of one for a list of such; None where every request is refused.
    :param Identity identity: of the id in the path.
    :param query: of Choice and Whole: the arguments that it may have, each once.
    :param str takes: the name of what its body is; then it is a PUT.
    :param refusals: more keys of errors.CODES that a request for it may get.
    :param bool plain: the answer is text to who does not ask for JSON by name.
    :param bool put: it is a PUT.
    """

    def __init__(self, path, work, summary, gives, identity=None, query=(), takes=None, refusals=(), plain=False,
                 put=False):  # fmt: skip
        self.path, self.work, self.summary, self.gives = path, work, summary, gives
        self.identity, self.query, self.takes, self.plain = identity, query, takes, plain
        self.method = "PUT" if put or takes else "GET"
        self._refusals = refusals

    @property
    def refusals(self):
        """The keys of errors.CODES that a request for it may get."""
        found = [*_ALWAYS, *self._refusals]
        if self.identity:
            found += ["ID_TYPE", "NOT_FOUND", "NO_HANDLER"]
        if self.query or not self.gives:
            found.append("INVALID_VALUE")
        return found

    def read(self, request):
        """What a request asks for.

        :rtype: Asked
        :raises Refusal: an argument or the id cannot be.
        """
        query = self._arguments(request.scope["query_string"].decode("ascii", "replace"))
        return Asked(request, self.identity and self.identity.read(request.path_params["id"]), query)

    def _arguments(self, text):
        known = {argument.name: argument for argument in self.query}
        found = {argument.name: argument.default for argument in self.query if argument.default is not None}
        given = set()
        try:
            pairs = urllib.parse.parse_qsl(text, keep_blank_values=True, max_num_fields=_ARGUMENTS)
        except ValueError:
            raise Refusal("QUERY_PARAMETER", "there are more arguments than any address has") from None
        for name, value in pairs:
            if name not in known:
                names = "there are: " + ", ".join(known) if known else "there are none"
                raise Refusal("QUERY_PARAMETER", "there is no argument '%s' at this address: %s" % (shown(name), names))
            if name in given:
                raise Refusal("INVALID_VALUE", "the argument '%s' is given twice" % name)
            given.add(name)
            found[name] = known[name].read(value)
        return found


def shown(text):
    """Text of a client, for an answer."""
    return display(text.encode("utf-8", "surrogateescape"))
