# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""What becomes of a request: the manager answers with a job, which ends when it ends."""

from urllib.parse import quote

from .errors import JobFailed, JobTimeout, ManagerError, OutcomeUnknown, printable
from .pauses import growing

# Seconds between two looks: the first time, the factor, at most.
_PAUSES = 0.05, 1.5, 5.0
#: The type of ovm-gateway's errors of jobs of which it does not know whether they took effect.
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
# Children of a job that has failed which are asked why; there are as many as the manager says.
_CHILDREN = 20


def wait_for_job(session, job, deadline: float) -> None:
    """Wait for a job to end well, its children's work included.

    :param session: of Session.
    :param job: the job as the request was answered with.
    :param float deadline: by the session's clock.
    :raises JobFailed: with the job's own reason.
    :raises JobTimeout: it has not ended by then.
    :raises OutcomeUnknown: it cannot be followed, or the manager itself does not know.
    """
    identity = identity_of(job)
    pauses = growing(*_PAUSES)
    while True:
        if not isinstance(job, dict):
            raise OutcomeUnknown("the manager answered with what is no job")
        # Not `done`, which is true before the children have ended.
        if _true(job.get("summaryDone")):
            break
        if not identity:
            raise OutcomeUnknown("the manager answered with a job that has no id")
        left = deadline - session.clock()
        if left <= 0:
            raise JobTimeout("the manager's job %s has not ended in time" % printable(identity))
        session.sleep(min(next(pauses), left))
        try:
            job = session.get(_path(identity), deadline)
        except ManagerError as problem:
            text = "the manager's job %s cannot be followed: %s" % (printable(identity), problem.text)
            raise OutcomeUnknown(text).saying(problem.said) from None
    message, kind = _error(job)
    if message or (job.get("jobSummaryState") or job.get("jobRunState")) == "FAILURE":
        raise _failure(session, job, message, kind, deadline)


def identity_of(thing) -> str:
    """The id of what a manager describes, whether it is an object that names it or bare; empty where it has none."""
    found = thing.get("id") if isinstance(thing, dict) else None
    return value_of(found)


def value_of(identity) -> str:
    """What a SimpleId stands for; it may be bare text, or a number."""
    if isinstance(identity, dict):
        identity = identity.get("value")
    text = str(identity) if isinstance(identity, (str, int)) and not isinstance(identity, bool) else ""
    # Within an address, one or two dots would lead elsewhere.
    return text if text not in (".", "..") else ""


def _failure(session, job, message, kind, deadline):
    children = job.get("childJobIds")
    children = [value_of(child) for child in children] if isinstance(children, list) else []
    for child in children[:_CHILDREN]:
        if message or session.clock() >= deadline:
            break
        try:
            message, kind = _error(session.get(_path(child), deadline))
        except ManagerError:
            pass  # then this one does not tell why
    if kind == OUTCOME_UNKNOWN:
        return OutcomeUnknown("the manager's job %s: %s" % (printable(identity_of(job)), message)).saying(message)
    return JobFailed(
        "the manager's job %s failed: %s" % (printable(identity_of(job)), message or "it does not say why"),
        "see the manager's log of jobs",
        kind,
        whole=not children,
    ).saying(message)


def _error(job):
    """Message and type of a job's error; on success there may be an object that has neither."""
    error = job.get("error") if isinstance(job, dict) else None
    if not isinstance(error, dict):
        error = {"message": error}
    message, kind = error.get("message"), error.get("type")
    return printable(message, 1000) if isinstance(message, str) else "", kind if isinstance(kind, str) else ""


def _path(identity):
    return "Job/" + quote(identity, safe="", errors="surrogatepass")


def _true(value):
    return str(value).lower() == "true"
