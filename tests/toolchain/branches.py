# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold each core to its share of tested branches, after a pytest run with ``--cov``.

coverage's own ``fail_under`` mixes lines with branches and cores with each other.
"""

import argparse
import collections
import json
import sys

import coverage

from toolchain import CACHE, ROOT

#: Per cent of a core's branches that the tests must take.
FLOOR = 95
#: The cores, by folder.
CORES = ["plugins/module_utils/channel", "plugins/module_utils/guest"]


def measure():
    """Read the branches out of the data of the last run.

    :returns: by core, the numbers of covered and of all branches; by file, the lines that
        branches which were never taken start from.
    :rtype: tuple of dict and dict
    """
    report = CACHE / "coverage" / "report.json"
    data = coverage.Coverage(config_file=str(ROOT / "pyproject.toml"))
    data.load()
    data.json_report(outfile=str(report))
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report-only", action="store_true", help="do not fail, as not all tests were run")
    arguments = parser.parse_args()
    try:
        cores, missing = measure()
    except coverage.exceptions.NoDataError:
        cores, missing = {core: {"all": 0} for core in CORES}, {}
    low = False
    for name, lines in sorted(missing.items()):
        if lines:
            print(f"{name}: branches not taken from lines {', '.join(map(str, lines))}")
    for core, sums in cores.items():
        if not sums["all"]:
            print(f"{core}: no branches were measured")
            low = True
            continue
        share = 100 * sums["covered"] / sums["all"]
        low = low or share < FLOOR
        print(f"{core}: {share:.1f} % of {sums['all']} branches tested (at least {FLOOR} %)")
    return 1 if low and not arguments.report_only else 0


if __name__ == "__main__":
    sys.exit(main())
