# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every module and plugin by every supported ansible-core, on every Python of targets, and both XenStore daemons.

Each line of ansible-core is installed in its newest release, and its modules run on real interpreters. What is not
there, neither on this machine nor to be fetched, is an error, unless --available asks for what can be had.
"""

import argparse
import datetime
import json
import os
import signal
import sys
import time

from lab import LabError
from lab.daemon import KINDS, NAMES
from lab.programs import PYTHONS
from toolchain import CACHE, ansible_test, matrix_pythons, matrix_run
from toolchain.matrix_lines import LINES, TARGETS, minor

#: What was run, and how it ended.
RESULT = CACHE / matrix_pythons.PART / "result.json"
#: The table of all of it for the README, after a run without a fault.
STATEMENT = RESULT.with_name("readme.md")


def choose_controller(line, pythons):
    """The newest Python of this machine that an ansible-core runs on.

    :param dict pythons: by version, a path.
    :returns: its version, or None.
    """
    return max((version for version in line.controllers if version in pythons), key=minor, default=None)


def can_make_environments(path):
    return not matrix_run.run([path, "-I", "-c", "import ensurepip, ssl, venv"]).returncode


def target(version, path):
    """A Target, by the path that stays while somebody makes the toolchain anew."""
    return matrix_run.Target(version, matrix_pythons.full(path), os.path.realpath(path))


def plan(lines, wanted, available):
    """What is to be run.

    :param lines: of Line.
    :param wanted: versions of Python for targets.
    :param bool available: leave out what cannot be had.
    :returns: a list of tuples of Line, Target of the controller, and list of Target.
    """
    needed = sorted({version for line in lines for version in line.targets if version in wanted}, key=minor)
    paths, missing = matrix_pythons.versions(needed)
    targets = {version: target(version, path) for version, path in paths.items()}
    here = {name[len("python") :]: path for name, path in PYTHONS.items()}
    here = {version: path for version, path in here.items() if can_make_environments(path)}
    found, reasons = [], list(missing.values())
    for line in lines:
        controller = choose_controller(line, here)
        chosen = [targets[version] for version in line.targets if version in targets]
        if controller is None:
            reasons.append(
                "ansible-core %s runs on Python %s, and this machine has none of them with venv: install one, with "
                "pyenv for example" % (line.core, " or ".join(line.controllers))
            )
        elif chosen:
            found.append((line, target(controller, here[controller]), chosen))
    for reason in reasons:
        print("%s: %s" % ("left out" if available else "missing", reason), file=sys.stderr)
    if reasons and not available:
        sys.exit("make matrix: not all of it can be run; ARGS=--available runs what can be had")
    if not found:
        sys.exit("make matrix: nothing of it can be run")
    return found


def run_line(line, controller, targets, collections, options):
    """Run all for one ansible-core.

    :param pathlib.Path collections: the folder with the collection.
    :returns: what the result file has of it.
    :rtype: dict
    """
    log = CACHE / matrix_pythons.PART / ("core-%s.log" % line.core)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    record = dict(core=line.core, controller=controller.full, targets=[target.full for target in targets])
    record.update(daemons=[NAMES[kind] for kind in options.daemon], sanity=options.sanity, log=str(log), faults=[])
    start = time.monotonic()
    try:
        core = matrix_run.Core(line, controller, collections)
        record["core"] = core.version
        say("ansible-core %s on Python %s" % (core.version, controller.full))
        steps = [matrix_run.roles, *([matrix_run.sanity] if options.sanity else [])]
        for step in steps:
            record["faults"] += attempt(step, core, log)
        for host, faults in matrix_run.modules(core, targets, options.daemon, log).items():
            record["faults"] += ["%s: %s" % (host, fault) for fault in faults]
    except (LabError, matrix_run.Failed) as problem:
        record["faults"].append(str(problem))
    record["seconds"] = round(time.monotonic() - start)
    say("ansible-core %s: %s after %d seconds" % (record["core"], outcome(record), record["seconds"]))
    for fault in record["faults"]:
        say("FAILED: " + fault)
    return record


def attempt(step, core, log):
    try:
        step(core, log)
    except matrix_run.Failed as problem:
        return [str(problem)]
    return []


def say(text):
    print("matrix: " + text, flush=True)


def outcome(record):
    return "%d failed" % len(record["faults"]) if record["faults"] else "ok"


def table(records):
    """What was run, for people."""
    rows = [("ansible-core", "controller", "Pythons of targets", "daemons", "result", "seconds")]
    for each in records:
        lists = [" ".join(each[name]) for name in ("targets", "daemons")]
        rows.append((each["core"], each["controller"], *lists, outcome(each), str(each["seconds"])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def statement(records):
    """What was run, for the README."""
    rows = [("ansible-core", "Python of the controller", "Pythons of targets"), ("---",) * 3]
    rows += [(each["core"], each["controller"], ", ".join(each["targets"])) for each in records]
    return "".join("| %s |\n" % " | ".join(row) for row in rows)


def complete(records):
    """Whether that was all there is, without a fault."""
    whole = [(record["targets"], line.targets) for record, line in zip(records, LINES)]
    return (
        len(records) == len(LINES)
        and all([full.rpartition(".")[0] for full in targets] == wanted for targets, wanted in whole)
        and all(len(record["daemons"]) == len(KINDS) and not record["faults"] for record in records)
    )


def main():
    cores = [line.core for line in LINES]
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__.splitlines()[0])
    parser.add_argument("--core", nargs="+", choices=cores, default=cores, metavar="LINE",
                        help="only these of " + " ".join(cores))  # fmt: skip
    parser.add_argument("--python", nargs="+", choices=TARGETS, default=TARGETS, metavar="VERSION",
                        help="only these of " + " ".join(TARGETS))  # fmt: skip
    parser.add_argument("--daemon", nargs="+", choices=KINDS, default=list(KINDS), help="only these daemons")
    parser.add_argument("--available", action="store_true", help="leave out what cannot be had on this machine")
    parser.add_argument("--sanity", action="store_true", help="run ansible-test sanity of each ansible-core, too")
    options = parser.parse_args()
    try:
        chosen = plan([line for line in LINES if line.core in options.core], options.python, options.available)
    except LabError as problem:
        sys.exit("make matrix: %s" % problem)
    # Guests' daemons that run by then are ended as at any other end.
    signal.signal(signal.SIGTERM, lambda *_unused: sys.exit(143))
    start = time.monotonic()
    # A copy: else whoever edits the tree meanwhile changes what is compared.
    ansible_test.claim("matrix")
    collections = ansible_test.copy_tree("matrix").parents[2]
    records = [run_line(*each, collections, options) for each in chosen]
    seconds = round(time.monotonic() - start)
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    RESULT.write_text(json.dumps({"day": day, "seconds": seconds, "runs": records}, indent=2) + "\n")
    print(table(records))
    if complete(records):
        STATEMENT.write_text(statement(records))
        print("%s has it as a table for the README" % STATEMENT)
    print("%d seconds in all; %s has all of it" % (seconds, RESULT))
    return 1 if any(record["faults"] for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
