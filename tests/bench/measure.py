# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking times side by side, and telling them."""

import json
import os
import statistics
import subprocess
import time


def side_by_side(rounds, **works):
    """Time several pieces of work in turns, so that a busy moment hits all of them.

    :param int rounds: how often each is done.
    :param works: name -> function without arguments.
    :returns: name -> median time in seconds.
    """
    times = {name: [] for name in works}
    for _unused in range(rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in times.items()}


def percentiles(times):
    """:param times: seconds.

    :returns: the median and the slow end of them, in milliseconds.
    """
    times = sorted(times)
    return {"p50": statistics.median(times) * 1000, "p99": times[int(len(times) * 0.99)] * 1000}


def run(command, **options):
    """Run a command that has to succeed; its output is shown if it does not.

    :raises SystemExit: when it fails.
    """
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **options
    )
    if done.returncode:
        raise SystemExit("bench: %s failed:\n%s" % (" ".join(command), done.stdout.decode("utf-8", "replace")))
    return done.stdout.decode("utf-8")


def playbook(folder, name, tasks, environment):
    """Write a playbook of local tasks; returns a function that runs it and gives its output."""
    path = os.path.join(folder, name + ".yml")
    with open(path, "w", encoding="utf-8") as target:
        json.dump([{"hosts": "localhost", "gather_facts": False, "tasks": list(tasks)}], target)
    return lambda: run(["ansible-playbook", "-c", "local", path], env=environment)


class Report:
    """What was found: a line each on standard output, and all of it as JSON."""

    def __init__(self):
        self.rows = []

    def add(self, name, unit, figures, ratio, target, at_most):
        """Note one benchmark.

        :param str name: what is compared with what.
        :param str unit: of the figures.
        :param dict figures: name -> measured figure.
        :param float ratio: what the target is about.
        :param float target: what the ratio should be.
        :param bool at_most: whether it should be at most, or at least, that.
        """
        met = ratio <= target if at_most else ratio >= target
        self.rows.append(
            dict(name=name, unit=unit, figures=figures, ratio=ratio, target=target, at_most=at_most, met=met)
        )
        print("%s" % name)
        for each, figure in figures.items():
            print("    %-28s %12.4g %s" % (each, figure, unit))
        print(
            "    ratio %.2f, target %s %g: %s"
            % (ratio, "at most" if at_most else "at least", target, "met" if met else "MISSED"),
            flush=True,
        )

    def write(self, path):
        """Write everything to a JSON file."""
        with open(path, "w", encoding="utf-8") as target:
            json.dump(self.rows, target, indent=2)
            target.write("\n")
