# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers where it cannot do what was asked: the Manager's codes, in the Manager's shape."""

#: Our name for it -> HTTP status, errorCode, wsErrorCode, when it is given. The codes are the Manager's; of the
#: names in the third column only that of JSON_PARSING is known for certain.
CODES = {
    "LOGIN_MISSING": (401, "AUTH_000003", "AUTHENTICATION_INFO_NOT_SUPPLIED", "not logged in"),
    "LOGIN_INVALID": (401, "AUTH_000005", "AUTHENTICATION_INVALID_CREDENTIALS", "user or password is wrong"),
    "FAILED": (500, "GEN_000000", "GENERAL_UNKNOWN_EXCEPTION", "a defect of the gateway"),
    "UNAVAILABLE": (503, "GEN_000000", "GENERAL_UNKNOWN_EXCEPTION", "XenStore or the store is not there at present"),
    "NOT_FOUND": (404, "GEN_000002", "GENERAL_OBJECT_NOT_FOUND", "there is no such object"),
    "NO_HANDLER": (404, "GEN_000003", "GENERAL_REST_HANDLER_NOT_FOUND", "there is no such address"),
    "METHOD": (405, "GEN_000003", "GENERAL_REST_HANDLER_NOT_FOUND", "this method is not for this address"),
    "QUERY_PARAMETER": (400, "GEN_000010", "GENERAL_INVALID_QUERY_PARAMETER", "there is no such argument"),
    "OUT_OF_RANGE": (400, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE", "a key or value is too long, or cannot be sent"),
    "TOO_LARGE": (413, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE", "the body is too large"),
    "HEAD_TOO_LARGE": (431, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE", "address and headers are too large"),
    "ID_TYPE": (400, "GEN_000018", "GENERAL_INCORRECT_ID_TYPE", "that is no id"),
    "INVALID_VALUE": (
        400,
        "GEN_000023",
        "GENERAL_INVALID_VALUE",
        "an argument or a body with a value that cannot be, or something that cannot be done",
    ),
    "NOT_ACCEPTABLE": (406, "GEN_000023", "GENERAL_INVALID_VALUE", "JSON is not accepted"),
    "MEDIA_TYPE": (415, "GEN_000023", "GENERAL_INVALID_VALUE", "the body is not said to be JSON"),
    "TOO_MANY": (429, "GEN_000026", "GENERAL_TOO_MANY_CONNECTIONS", "too many requests or failed logins"),
    "TOO_SLOW": (408, "GEN_000023", "GENERAL_INVALID_VALUE", "the body did not come in time"),
    "JSON_PARSING": (400, "GEN_000031", "GENERAL_JSON_PARSING_ERROR", "the body is no JSON"),
}


class Refusal(Exception):
    """An answer that says no.

    :param str kind: a key of CODES.
    :param str text: what is wrong, with what to do about it; never a value.
    :param dict headers: more headers of the answer.
    """

    def __init__(self, kind, text, headers=None):
        super().__init__(text)
        self.status, self.code, self._ws_code, _when = CODES[kind]
        self.text, self.headers = text, dict(headers or {})

    def body(self):
        """The answer's body, as the Manager writes it.

        :rtype: dict
        """
        return {
            "message": "%s:%s" % (self.code, self.text),
            "errorCode": self.code,
            "cause": None,
            "wsErrorCode": self._ws_code,
        }


def place(problem):
    """An unexpected exception as its type and place."""
    where = problem.__traceback__
    while where.tb_next:
        where = where.tb_next
    return "%s in %s, line %d" % (type(problem).__name__, where.tb_frame.f_code.co_filename, where.tb_lineno)
