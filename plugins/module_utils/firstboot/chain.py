# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: BSD-2-Clause
"""Running the scripts of a target, one after the other.

One that fails does not keep the others from running: a guest with a bad time server shall
still get its root password. What it returned is dropped, the next one gets what the last good
one has returned, and the run as a whole has failed.
"""

from collections import namedtuple

from . import log as logs
from .errors import BadParameters, BadScript
from .parameters import missing
from .redaction import Redactor
from .result import FAILED, OK, SKIPPED, Result, ScriptResult
from .script import Question

# Scripts that are asked at the same time: a small guest shall not run out of memory by it.
_AT_ONCE = 8


class Description(namedtuple("Description", ("priority", "name", "parameters"))):
    """The parameters that a script of a chain knows.

    :ivar str problem: why it could not say; its parameters are an empty list then.
    """

    problem = ""


class Chain:
    """The scripts of a target.

    :param scripts: of priority, name and path, in the order in which they run.
    :param Runner runner: runs each of them.
    """

    def __init__(self, scripts, runner) -> None:
        self._scripts, self._runner = list(scripts), runner

    def describe(self, target: str) -> "list[Description]":
        """Ask all scripts for the parameters that they know; several at once.

        One that cannot tell is no error here: it may be able to run all the same, as scripts in the
        field think of describing the target 'configure' alone.

        :returns: a Description of each script, in order.
        """
        result = []
        for start in range(0, len(self._scripts), _AT_ONCE):
            part = self._scripts[start : start + _AT_ONCE]
            answers = self._runner.enumerate_all([Question(name, path, target) for _priority, name, path in part])
            for (priority, name, _path), answer in zip(part, answers):
                if isinstance(answer, BadScript):
                    self._runner.log.write(logs.WARNING, str(answer), name)
                    description = Description(priority, name, [])
                    description.problem = str(answer)
                else:
                    description = Description(priority, name, answer)
                result.append(description)
        return result

    def run(
        self,
        target: str,
        parameters: "dict[str, str]",
        secret_keys=(),
        check: bool = False,
        described=None,
        started=None,
        finished=None,
    ) -> Result:
        """Run all scripts.

        :param parameters: what the first one gets.
        :param secret_keys: keys whose values are secrets, besides those that scripts or names say are.
        :param bool check: have them change nothing; one that cannot do so is skipped.
        :param described: what describe() gave, where it was asked before.
        :param started: called with a script's name once it runs.
        :param finished: called with its ScriptResult after that.
        :raises BadParameters: a required parameter is missing; nothing has run.
        """
        described = self.describe(target) if described is None else described
        lacking = missing([parameter for one in described for parameter in one[2]], parameters)
        if lacking:
            raise BadParameters(
                "required parameters are missing: " + ", ".join(lacking), "give each of them a value; nothing was run"
            )
        secrets = _Secrets(secret_keys, described)
        secrets.look(parameters)
        log = self._runner.log
        log.write(logs.INFO, "target %s: %d scripts, %d parameters" % (target, len(self._scripts), len(parameters)))
        results = []
        for priority, name, path in self._scripts:
            outcome = self._runner.run(name, path, target, parameters, secrets.redactor, check, started)
            if outcome.message:
                status = FAILED
            else:
                status = SKIPPED if outcome.skipped else OK
                parameters = outcome.parameters
                secrets.keys.update(outcome.password_keys)
                secrets.look(parameters)
            result = ScriptResult(name, priority, status, outcome.changed, outcome.seconds, outcome.message)
            results.append(result)
            if finished:
                finished(result)
        failed = [result.name for result in results if result.status == FAILED]
        log.write(
            logs.ERROR if failed else logs.INFO,
            "target %s: %s" % (target, "failed: " + ", ".join(failed) if failed else "done"),
        )
        return Result(target, results, parameters)


class _Secrets:
    """Which parameters of a run are secrets. Scripts may add parameters, so it is looked at again and again."""

    def __init__(self, keys, described):
        self.redactor = Redactor()
        self.keys = set(keys)
        self._known = None
        for one in described:
            self.keys.update(parameter.key for parameter in one[2] if parameter.secret)
        if any(getattr(one, "problem", "") for one in described):
            # Nobody knows what of the others that script takes for secrets.
            self._known = {parameter.key for one in described for parameter in one[2]}

    def look(self, parameters):
        self.redactor.add_all(parameters, self.keys, self._known)
