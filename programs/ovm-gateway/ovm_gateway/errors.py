# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service answers where it cannot do what was asked: the Manager's codes, in the Manager's shape."""

#: Our name for it -> HTTP status, errorCode, wsErrorCode. The codes are the Manager's; of the names
#: in the last column only that of JSON_PARSING is known for certain.
_CODES = {
    "LOGIN_MISSING": (401, "AUTH_000003", "AUTHENTICATION_INFO_NOT_SUPPLIED"),
    "LOGIN_INVALID": (401, "AUTH_000005", "AUTHENTICATION_INVALID_CREDENTIALS"),
    "FAILED": (500, "GEN_000000", "GENERAL_UNKNOWN_EXCEPTION"),
    "UNAVAILABLE": (503, "GEN_000000", "GENERAL_UNKNOWN_EXCEPTION"),
    "NOT_FOUND": (404, "GEN_000002", "GENERAL_OBJECT_NOT_FOUND"),
    "NO_HANDLER": (404, "GEN_000003", "GENERAL_REST_HANDLER_NOT_FOUND"),
    "METHOD": (405, "GEN_000003", "GENERAL_REST_HANDLER_NOT_FOUND"),
    "QUERY_PARAMETER": (400, "GEN_000010", "GENERAL_INVALID_QUERY_PARAMETER"),
    "OUT_OF_RANGE": (400, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE"),
    "TOO_LARGE": (413, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE"),
    "HEAD_TOO_LARGE": (431, "GEN_000015", "GENERAL_VALUE_OUT_OF_RANGE"),
    "ID_TYPE": (400, "GEN_000018", "GENERAL_INCORRECT_ID_TYPE"),
    "INVALID_VALUE": (400, "GEN_000023", "GENERAL_INVALID_VALUE"),
    "NOT_ACCEPTABLE": (406, "GEN_000023", "GENERAL_INVALID_VALUE"),
    "MEDIA_TYPE": (415, "GEN_000023", "GENERAL_INVALID_VALUE"),
    "TOO_MANY": (429, "GEN_000026", "GENERAL_TOO_MANY_CONNECTIONS"),
    "TOO_SLOW": (408, "GEN_000023", "GENERAL_INVALID_VALUE"),
    "JSON_PARSING": (400, "GEN_000031", "GENERAL_JSON_PARSING_ERROR"),
}


class Refusal(Exception):
    """An answer that says no.

    :param str kind: a key of _CODES.
    :param str text: what is wrong, with what to do about it; never a value.
    :param dict headers: more headers of the answer.
    """

    def __init__(self, kind, text, headers=None):
        super().__init__(text)
        self.status, self.code, self._ws_code = _CODES[kind]
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
