# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""The first boot of a machine: from parameters, wherever they come from, to a configured machine.

::

    wait for parameters -> run the scripts -> note how that went -> report -> wipe secrets -> the flag says no

The flag is the last to change, on the disk and at once, so a power cut at any point means that
the next boot starts all over. Whoever is killed and started again within the same boot finds
the note, and goes on behind the scripts instead of running them once more.

Whichever source first has all that is required is the one that counts, with what it has itself:
nothing is mixed. What is required is what the enabled scripts say. Messages have no end of their
own: where no script requires anything, they are complete when the root password, which is by
convention the last of them, has come.
"""

import json
import os
import select
import time

from ..problem import Problem
from . import flag
from .errors import BadScript, FirstBootError
from .parameters import missing
from .redaction import is_secret
from .targets import CONFIGURE

#: The key that is sent last, and so completes a set of messages.
LAST_KEY = "com.oracle.linux.root-password"
#: The note's name, within the directory of what is gone after a boot.
NOTE = "first-boot.json"
#: Exit codes; those of ovm-template-config.
DONE, SCRIPT_FAILED, IMPOSSIBLE = 0, 1, 3

_WAITING, _RUNNING, _DONE, _FAILED = "waiting", "running", "done", "failed"  # as in reports
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


class TimeOver(FirstBootError):
    """No source had all that is required in time."""


class FirstBoot:
    """One first boot.

    :param Settings settings: see flag.read().
    :param str path: the flag file.
    :param chain: gives the scripts, a chain.Chain.
    :param sources: see sources.
    :param Note note: how far an earlier process of this boot came.
    :param log: called with a text; never a secret.
    :param report: called with a state of the report, and members; never raises.
    :param wipe: called with a function that tells of a key whether it is a secret; removes
        secrets from the list of received messages. Raises Problem.
    :param lock: a context manager to hold while scripts run.
    :param power_off: called when the time is over and the machine shall end.
    """

    def __init__(self, settings, path, chain, sources, note, log, report, wipe, lock, power_off) -> None:
        self._settings, self._path = settings, path
        self._make_chain, self._sources, self._note = chain, sources, note
        self._log, self._report, self._wipe = log, report, wipe
        self._lock, self._power_off = lock, power_off

    def run(self) -> int:
        """All of it.

        :returns: the exit code.
        """
        try:
            if self._note.read() is not None:
                with self._lock:
                    return self._go_on()
            try:
                described = self._describe()
                source, given = self._wait(described)
                with self._lock:
                    return self._go_on() if self._note.outdated() else self._configure(described, source, given)
            finally:
                for source in self._sources:
                    source.close()
        except TimeOver as problem:
            return self._time_over(problem)
        except FirstBootError as problem:
            # No script has run, so this is as good as before.
            self._log(str(problem))
            self._report(_FAILED, target=CONFIGURE, message=str(problem))
            return IMPOSSIBLE

    def _go_on(self):
        """Where an earlier process was ended, or another one was faster."""
        noted = self._note.read()
        if noted is None:
            self._log("another process has configured this machine")
            return DONE
        self._log("the scripts have run already in this boot; going on from there")
        return self._finish(noted)

    def _describe(self):
        self._chain = self._make_chain()
        described = self._chain.describe(CONFIGURE)
        if not described:
            raise BadScript("no script is enabled for %s" % CONFIGURE, "enable some with ovm-chkconfig")
        return described

    # Waiting

    def _wait(self, described):
        """The first source that has all that is required, and what it has."""
        wanted = [parameter for _priority, _name, parameters in described for parameter in parameters]
        required = sorted({parameter.key for parameter in wanted if parameter.required})
        self._log(
            "waiting for parameters from %s; required: %s"
            % (", ".join(source.name for source in self._sources), ", ".join(required) or "none")
        )
        deadline = time.monotonic() + self._settings.timeout if self._settings.timeout else None
        for source in self._sources:
            source.start(wanted)
        lacking = {}  # type: dict
        told = None
        while True:
            for source in self._sources:
                given = source.look()
                if given is None:
                    continue
                lacks = lacking_in(wanted, source.name, given)
                if not lacks:
                    return source, given
                if source.name != flag.MESSAGES and lacking.get(source.name) != lacks:
                    self._log("the parameters from %s lack %s" % (source.name, ", ".join(lacks)))
                lacking[source.name] = lacks
            known = _messages_lack(lacking)
            if known != told:
                # Whoever knows this machine as configured learns that it is to be so anew, and for what it waits.
                told = known
                self._report(_WAITING, target=CONFIGURE, **({"message": known} if known else {}))
                continue  # that took a moment
            self._pause(deadline, lacking)

    def _pause(self, deadline, lacking):
        """Until there is a reason to look again."""
        poll = select.poll()
        for source in self._sources:
            if source.fileno() >= 0:
                poll.register(source.fileno(), select.POLLIN)
        limits = [source.interval for source in self._sources if source.interval is not None]
        if deadline is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                known = _messages_lack(lacking)
                raise TimeOver(
                    "not all parameters have come within %d seconds%s"
                    % (self._settings.timeout, "; " + known if known else ""),
                    _AFTERWARDS[self._settings.on_timeout],
                )
            limits.append(left)
        # Rounded up, so as not to look too early again and again.
        poll.poll(int(min(limits) * 1000) + 1 if limits else None)

    def _time_over(self, problem):
        self._log(str(problem))
        self._report(_FAILED, target=CONFIGURE, message=str(problem))
        if self._settings.on_timeout == flag.DISABLE:
            flag.switch(False, self._path)
        elif self._settings.on_timeout == flag.POWEROFF:
            self._power_off()
        return IMPOSSIBLE

    # Configuring

    def _configure(self, described, source, given):
        """Run the scripts, and what comes after."""
        keys = [p.key for _priority, _name, parameters in described for p in parameters if p.secret]
        secrets = Secrets(keys + list(source.secrets))
        running = []  # type: list

        def started(_script):
            # Not before: nothing shall come between the last parameter and the first script.
            if not running:
                running.append(True)
                for other in self._sources:
                    other.give_up("The configuration has come from elsewhere (%s)." % source.name)
                self._log("configuring with the %d parameters from %s" % (len(given), source.name))
                self._report(_RUNNING, target=CONFIGURE)

        result = self._chain.run(
            CONFIGURE,
            given,
            secret_keys=[key for key in given if secrets.has(key)],
            described=described,
            started=started,
        )
        noted = dict(result=result.as_dict(), secrets=secrets.keys)
        try:
            self._note.write(noted)
        except OSError as problem:
            self._log(
                "it cannot be noted that the scripts have run (%s): whatever ends this now has them run once more"
                % problem.strerror
            )
        return self._finish(noted)

    def _finish(self, noted):
        """What comes after the scripts. Can be repeated, wherever it was cut off."""
        result = noted["result"]
        failed = result["failed"]
        code = SCRIPT_FAILED if failed else DONE
        for script in result["scripts"]:
            self._log("%s: %s%s" % (script["name"], script["status"], _after_colon(script["message"])))
        self._report(_FAILED if failed else _DONE, target=result["target"], failed=failed, scripts=result["scripts"])
        try:
            self._wipe(Secrets(noted["secrets"]).has)
        except Problem as problem:
            self._log("the secrets among the parameters are not wiped: %s" % problem)
            code = IMPOSSIBLE
        if failed and self._settings.on_failure == flag.RETRY:
            self._log("failed: %s; %s stays as it is, so the next boot tries again" % (", ".join(failed), self._path))
        else:
            try:
                flag.switch(False, self._path)
            except FirstBootError as problem:
                self._log(str(problem))
                self._report(_FAILED, target=CONFIGURE, message=str(problem))
                return IMPOSSIBLE
            self._log("the first boot is over%s" % ("; failed: " + ", ".join(failed) if failed else ""))
        self._note.remove()
        return code


class Note:
    """That the scripts have run, and how: of one boot, and of one setting of the flag.

    :param str directory: what is in it is gone after a boot; or of another one, which is noticed.
    :param str path: the flag file.
    """

    def __init__(self, directory: str, path: str) -> None:
        self._path, self._flag = os.path.join(directory, NOTE), path
        self._of = [_boot(), flag.identity(path)]

    def outdated(self) -> bool:
        """Whether somebody has run the scripts, or set the flag, since this note was made."""
        return self.read() is not None or flag.identity(self._flag) != self._of[1]

    def read(self) -> "dict | None":
        """What was noted; None for nothing, nothing that holds, or nothing that makes sense.

        :raises FirstBootError: there may be something. Whoever took it for nothing would run the scripts once more.
        """
        try:
            with open(self._path, encoding="ascii") as source:
                found = json.load(source)
            return _checked(found["noted"]) if found["of"] == self._of else None
        except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
            return None
        except OSError as problem:
            raise _unknown(self._path, problem) from problem

    def write(self, noted: dict) -> None:
        """Note it: all of it, or nothing."""
        os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)
        temporary = self._path + ".new"
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as target:
            json.dump({"of": self._of, "noted": noted}, target)
        os.rename(temporary, self._path)

    def remove(self) -> None:
        """Forget it."""
        try:
            os.unlink(self._path)
        except OSError:
            pass  # the flag has changed, so it does not hold any more


class Secrets:
    """Which parameters are secrets: those that scripts describe so, and those whose names say so.

    :param keys: what scripts have described. One that ends in a number, or ``.N``, stands for all numbers.
    """

    def __init__(self, keys) -> None:
        self.keys = sorted(set(keys))
        self._families = {_family(key) for key in self.keys}

    def has(self, key: str) -> bool:
        """Whether that parameter is one."""
        return is_secret(key) or _family(key) in self._families


def _checked(noted):
    """What was noted, if it is all that _finish() needs.

    :raises KeyError, TypeError: it is not.
    """
    result = noted["result"]
    texts = [result["target"], *result["failed"], *noted["secrets"]]
    for script in result["scripts"]:
        texts += [script["name"], script["status"], script["message"]]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("texts")
    return noted


def lacking_in(described, source: str, given: "dict[str, str]") -> "list[str]":
    """What a source's parameters lack before they are complete: keys, in order."""
    lacks = missing(described, given)
    nothing_required = not any(parameter.required for parameter in described)
    if source == flag.MESSAGES and nothing_required and LAST_KEY not in given:
        lacks.append(LAST_KEY)
    return lacks


_AFTERWARDS = {
    flag.CONTINUE: "booting on without; the next boot waits again",
    flag.POWEROFF: "powering off; the next boot waits again",
    flag.DISABLE: "booting on without; the next boot does not wait",
}


def _messages_lack(lacking):
    """What the messages lack, in words; empty where nothing is known of them."""
    keys = lacking.get(flag.MESSAGES)
    return "the messages lack " + ", ".join(keys) if keys else ""


def _family(key):
    base, dot, number = key.rpartition(".")
    return base + ".N" if dot and (number.isdigit() or number == "N") else key


def _after_colon(text):
    return ": " + text if text else ""


def _boot():
    try:
        with open(_BOOT_ID, encoding="ascii") as source:
            return source.read().strip()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise _unknown(_BOOT_ID, problem) from problem


def _unknown(path, problem):
    return FirstBootError(
        "whether the scripts have run already is not known: %s cannot be read (%s)" % (path, problem.strerror),
        "nothing was run; see what is wrong there, and try again",
    )
