# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run pytest, with the arguments given, and hold each core to its share of tested branches.

coverage's own ``fail_under`` mixes lines with branches and cores with each other.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import coverage

from toolchain import CACHE, ROOT

#: Per cent of a core's branches that all tests together must take.
FLOOR = 95
#: The cores, by folder.
CORES = [
    *("plugins/module_utils/" + name for name in ("channel", "guest", "manager", "host", "delivery", "firstboot")),
    # what first-boot scripts import, the stock ones' own logic among it
    "programs/ovm-template-config/lib/templateconfig",
]


def run(arguments, data):
    """Run pytest.

    :param arguments: more of its arguments.
    :param pathlib.Path data: where coverage shall put what it measures.
    :returns: pytest's exit code.
    """
    command = ["pytest", "--numprocesses=auto", "--durations=20", "--cov", "--cov-report=", *arguments]
    return subprocess.run(command, cwd=ROOT, env=dict(os.environ, COVERAGE_FILE=str(data)), check=False).returncode


def measure(data):
    """Read what coverage measured.

    :param pathlib.Path data: what ``run`` had written.
    :returns: by core, the numbers of covered and of all branches; by file, the lines that
        branches which were never taken start from.
    :rtype: tuple of dict and dict
    """
    report = data.with_name("report.json")
    measured = coverage.Coverage(data_file=str(data), config_file=str(ROOT / "pyproject.toml"))
    measured.load()
    measured.json_report(outfile=str(report))
    cores = {core: collections.Counter() for core in CORES}
    missing = {}
    for name, file in json.loads(report.read_text())["files"].items():
        for core, sums in cores.items():
            if name.startswith(core + "/"):
                sums["all"] += file["summary"]["num_branches"]
                sums["covered"] += file["summary"]["covered_branches"]
                missing[name] = sorted({start for start, _end in file["missing_branches"]})
    return cores, missing


def main():
    arguments = sys.argv[1:]
    # A folder for each run, so that two at once do not take each other's data.
    with tempfile.TemporaryDirectory(prefix="coverage-", dir=CACHE) as folder:
        data = pathlib.Path(folder, "data")
        code = run(arguments, data)
        if not data.exists():
            return code or 1
        cores, missing = measure(data)
    for name, lines in sorted(missing.items()):
        if lines:
            print(f"{name}: branches not taken from lines {', '.join(map(str, lines))}")
    for core, sums in cores.items():
        share = 100 * sums["covered"] / max(sums["all"], 1)
        print(f"{core}: {share:.1f} % of {sums['all']} branches tested, of at least {FLOOR} %")
        # A choice of tests says nothing about the whole.
        if share < FLOOR and not arguments:
            code = code or 1
    return code


if __name__ == "__main__":
    sys.exit(main())
