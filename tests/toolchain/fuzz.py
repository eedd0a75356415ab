# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try hostile input on everything that parses, guided by coverage; then run the property tests of tests/fuzz.

usage: tests/bootstrap python -m toolchain.fuzz [--seconds SECONDS] [--jobs JOBS] [--list] [NAME ...]

Each target runs for so many seconds (20 by default). NAME is a target, ``properties`` for the tests with pytest, or a
file of tests. What has led to new code is kept in the cache, and the next run goes on from there. So is each input
that has shown a fault: the end of the output says how to repeat it.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import namedtuple

import fuzz
from toolchain import CACHE, ROOT

PLACE = CACHE / "fuzz"
REPORT = PLACE / "report.json"
PROPERTIES = "properties"
_TESTS = "tests/fuzz"
_REQUIREMENTS = ROOT / "tests" / "requirements-fuzz.txt"
#: Seconds that one input may take on a machine under load, and megabytes that a target may: more is a fault.
_SLOWEST, _BIGGEST = 25, 2048
#: Seconds that the start of a target, and the seeds, may take besides.
_START = 300
_LONGEST = 4096
#: Times as long as each target takes what looks at the whole gateway.
_TIMES = 3
_COVERED = re.compile(r"\bcov: (\d+)")
_FAULT = re.compile(r"Test unit written to (\S+)")
_TAIL = 30

Row = namedtuple("Row", ("name", "inputs", "seconds", "edges", "failures", "slowest", "output"))


def fail(text):
    sys.exit("make fuzz: " + text)


def python():
    """The path of a Python with what is needed, installed where it is not there yet."""
    place = PLACE / "venv"
    found, mark = place / "bin" / "python", place / "ready"
    state = hashlib.sha256(repr((sys.version, sys.prefix, _REQUIREMENTS.read_text())).encode()).hexdigest()
    if not mark.exists() or mark.read_text() != state:
        print("make fuzz: installing %s into %s" % (_REQUIREMENTS.relative_to(ROOT), place), flush=True)
        shutil.rmtree(place, ignore_errors=True)
        _run([sys.executable, "-m", "venv", "--without-pip", place])
        # Its own packages come first, then the toolchain's.
        version = "python%d.%d" % sys.version_info[:2]
        (place / "lib" / version / "site-packages" / "toolchain.pth").write_text(sysconfig.get_path("purelib") + "\n")
        _run([sys.executable, "-m", "pip", "--no-input", "--quiet", "--python", found, "install", "-r", _REQUIREMENTS])
        mark.write_text(state)
    return str(found)


def _run(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        fail(
            "atheris cannot be installed: see above; it is there for Python 3.11 to 3.14 on x86_64, "
            "and pip has to reach a package index"
        )


def target(interpreter, name, seconds):
    """Try inputs on a target.

    :returns: a Row.
    """
    folder = PLACE / name
    corpus, failures = folder / "corpus", folder / "failures"
    for each in (corpus, failures):
        each.mkdir(parents=True, exist_ok=True)
    about = fuzz.load(name)
    for seed in about.SEEDS:
        (corpus / hashlib.sha1(seed, usedforsecurity=False).hexdigest()).write_bytes(seed)
    tokens = folder / "tokens"
    lines = ('"%s"' % "".join("\\x%02x" % byte for byte in token) for token in getattr(about, "TOKENS", ()))
    tokens.write_text("\n".join(lines) + "\n")
    before = set(failures.iterdir())
    options = {
        "max_total_time": seconds,
        "timeout": _SLOWEST,
        "rss_limit_mb": _BIGGEST,
        "max_len": getattr(about, "LONGEST", _LONGEST),
        "dict": tokens,
        "artifact_prefix": "%s/" % failures,
        "print_final_stats": 1,
        "verbosity": 1,
    }
    command = [interpreter, "-m", "fuzz.engine", name, *("-%s=%s" % option for option in options.items()), corpus]
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=folder, text=True, errors="replace", check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds + _START,
        )  # fmt: skip
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as problem:
        output, code = (problem.stdout or b"").decode("utf-8", "replace") + "\nit did not end in time\n", 1
    found = sorted(set(failures.iterdir()) - before)
    # An input that was there before is written once more.
    found = found or [pathlib.Path(path) for path in _FAULT.findall(output)]
    return Row(
        name,
        _figure(output, "number_of_executed_units"),
        round(time.monotonic() - began, 1),
        max(map(int, _COVERED.findall(output)), default=0),
        [str(path) for path in found] or (["exit code %d" % code] if code else []),
        _figure(output, "slowest_unit_time_sec"),
        output,
    )


def _figure(output, name):
    found = re.search(r"stat::%s:\s*(\d+)" % name, output)
    return int(found[1]) if found else 0


def properties(interpreter, wanted, seconds):
    """Run the tests with pytest.

    :param wanted: files.
    :param seconds: those that take as long as they are given take so many.
    :returns: the exit code.
    """
    command = [interpreter, "-m", "pytest", "-p", "no:cov", "--numprocesses=2", "--durations=5", *wanted]
    environment = dict(os.environ, OVM_FUZZ_SECONDS=str(seconds))
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def table(rows):
    """The rows for people."""
    head = ("target", "inputs", "a second", "seconds", "edges", "slowest", "failures")
    cells = [head] + [
        (
            row.name, "%d" % row.inputs, "%.0f" % (row.inputs / max(row.seconds, 0.1)), "%.0f" % row.seconds,
            "%d" % row.edges, "%d s" % row.slowest, "%d" % len(row.failures),
        )
        for row in rows
    ]  # fmt: skip
    total = sum(row.inputs for row in rows), sum(row.seconds for row in rows), sum(len(row.failures) for row in rows)
    cells.append(("all", "%d" % total[0], "", "%.0f" % total[1], "", "", "%d" % total[2]))
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def told(rows):
    """Print the figures, and how to repeat what has failed; and write them into the cache."""
    for row in rows:
        if row.failures:
            print("\n--- %s\n" % row.name)
            print("\n".join("  " + line for line in row.output.strip().split("\n")[-_TAIL:]))
    print("\n" + table(rows))
    REPORT.write_text(json.dumps([dict(row._asdict(), output=None) for row in rows], indent=2) + "\n")
    print("\nthese figures as JSON: %s" % REPORT)
    for row in rows:
        for path in row.failures:
            if os.path.exists(path):
                print("to repeat: tests/bootstrap python -m fuzz %s %s" % (row.name, path))


def arguments(names):
    parser = argparse.ArgumentParser(prog="make fuzz", description="Try hostile input on everything that parses.")
    parser.add_argument("--seconds", type=int, default=20, help="for each target (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at once (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="say which there are")
    parser.add_argument("names", metavar="NAME", nargs="*", help="targets, files of tests, or '%s'" % PROPERTIES)
    found = parser.parse_args()
    for name in found.names:
        if name not in (*names, PROPERTIES) and not name.startswith(_TESTS + "/"):
            parser.error("there is no target '%s': use %s, or %s" % (name, ", ".join(names), PROPERTIES))
    if found.seconds < 1 or found.jobs < 1:
        parser.error("seconds and jobs are 1 or more")
    return found


def main():
    names = fuzz.names()
    given = arguments(names)
    if given.list:
        print("\n".join([*names, PROPERTIES]))
        return 0
    chosen = [name for name in names if name in given.names or not given.names]
    tests = [name for name in given.names if name.startswith(_TESTS + "/")]
    if not given.names or PROPERTIES in given.names:
        tests = [_TESTS]
    interpreter, code = python(), 0
    if chosen:
        with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
            doing = {pool.submit(target, interpreter, name, given.seconds): name for name in chosen}
            rows = []
            for done in concurrent.futures.as_completed(doing):
                row = done.result()
                rows.append(row)
                said = "%d inputs in %.0f s, %d edges" % (row.inputs, row.seconds, row.edges)
                print("%-20s %s%s" % (row.name, said, ", FAULT" if row.failures else ""), flush=True)
        told(sorted(rows))
        code = int(any(row.failures for row in rows))
    if tests and list((ROOT / _TESTS).glob("test_*.py")):
        code = properties(interpreter, tests, _TIMES * given.seconds) or code
    return code


if __name__ == "__main__":
    sys.exit(main())
