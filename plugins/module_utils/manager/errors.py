# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Everything that can go wrong with a manager, each as a type of its own."""

from .. import problem


class ManagerError(problem.Problem):
    """Base of every error of the manager's REST interface.

    :ivar str said: the part of the text that is the manager's own words, which may quote what was sent to it.
    """

    said = ""

    def saying(self, said: str) -> "ManagerError":
        """The same error, knowing the manager's own words."""
        self.said = said
        return self


class MissingLibrary(ManagerError):
    """The library that speaks HTTP is not installed."""


class BadConnection(ManagerError, ValueError):
    """An option of the connection makes no sense; nothing was asked of anybody."""


class BadDialect(ManagerError, ValueError):
    """An option of the dialect that there is not, or with a value that it cannot have."""


class InvalidMessage(ManagerError, ValueError):
    """A message that the manager does not take as it is; nothing was sent."""


class Unreachable(ManagerError):
    """Nobody answers there, or not in time."""


class UntrustedCertificate(ManagerError):
    """The manager's certificate cannot be verified; neither password nor message was sent."""


class LoginFailed(ManagerError):
    """The manager does not accept the user, the password or the client certificate."""


class Forbidden(ManagerError):
    """The user may not do that."""


class NotReady(ManagerError):
    """The manager has not been running in time.

    :ivar str state: what it was in last: a ``managerRunState``, or a few words.
    """

    def __init__(self, text: str, remedy: str = "", state: str = "") -> None:
        super().__init__(text, remedy)
        self.state = state


class BadAnswer(ManagerError):
    """An answer that makes no sense; it is not a manager's."""


class Refused(ManagerError):
    """The manager said no.

    :ivar str code: its ``errorCode``, such as ``GEN_000029``, or an empty string.
    :ivar str ws_code: its ``wsErrorCode``, or an empty string.
    :ivar int status: the answer's HTTP status.
    """

    def __init__(self, text: str, remedy: str = "", code: str = "", ws_code: str = "", status: int = 0) -> None:
        super().__init__(text, remedy)
        self.code, self.ws_code, self.status = code, ws_code, status


class JobFailed(ManagerError):
    """The manager took the request, and its job failed.

    :ivar str kind: the type of the job's error, such as ``LOCK``, or an empty string.
    :ivar bool whole: nothing of it was done; otherwise some of it may have been.
    """

    def __init__(self, text: str, remedy: str = "", kind: str = "", whole: bool = True) -> None:
        super().__init__(text, remedy)
        self.kind, self.whole = kind, whole


class OutcomeUnknown(ManagerError, problem.OutcomeUnknown):
    """Nobody can say whether a request took effect, so it was not repeated."""


class JobTimeout(OutcomeUnknown):
    """A job did not end in time; it may still."""


def printable(raw: "bytes | str", longest: int = 200) -> str:
    """Bytes or text from elsewhere, fit for an error: one line, no control characters, not endless.

    :param raw: a key or what a manager says, never a value.
    :param int longest: characters shown.
    """
    text = raw.decode("utf-8", "backslashreplace") if isinstance(raw, bytes) else raw
    text = " ".join(text.split())
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= longest else text[:longest] + "..."
