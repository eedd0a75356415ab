# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking times side by side, and telling them."""

import json
import os
import platform
import statistics
import subprocess
import time

#: How much steeper the upper half of a growth may be than its lower half. A cost that grows with the square
#: has 3 here, one with x log x some 1.1.
STEEPER = 1.5


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


def grown(rounds, sizes, **works):
    """Time work of growing size, all sizes in turns, so that a busy moment hits all of them.

    The least of the rounds counts: others can only make something slower.

    :param int rounds: how often each is done at each size.
    :param sizes: how much is to be done.
    :param works: name -> function of one of the sizes.
    :returns: name -> list of (size, seconds), for Report.growth.
    """
    least = {}
    for _unused in range(rounds):
        for size in sizes:
            for name, work in works.items():
                start = time.perf_counter()
                work(size)
                took = time.perf_counter() - start
                least[name, size] = min(took, least.get((name, size), took))
    return {name: [(size, least[name, size]) for size in sizes] for name in works}


def slope(points):
    """:returns: that of the straight line nearest to some points (x, y)."""
    middle = statistics.fmean(x for x, _y in points)
    height = statistics.fmean(y for _x, y in points)
    return sum((x - middle) * (y - height) for x, y in points) / sum((x - middle) ** 2 for x, _y in points)


def steeper(points):
    """How much steeper a cost grows in the upper half of what was tried than in the lower: 1 is a straight line.

    :param points: (x, y), at least two with x in each half; the one in the middle belongs to both.
    """
    top = max(x for x, _y in points)
    lower = [point for point in points if point[0] <= top / 2]
    upper = [point for point in points if point[0] >= top / 2]
    return slope(upper) / slope(lower)


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


def machine():
    """What the figures were taken on, for whoever compares them."""
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as source:
        models = [line.partition(":")[2].strip() for line in source if line.startswith("model name")]
    return {
        "processors": os.cpu_count(),
        "model": models[0] if models else platform.machine(),
        "system": "%s %s" % (platform.system(), platform.release().partition("-")[0]),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


class Report:
    """What was found: a line each on standard output, and all of it as JSON.

    :ivar list letters: of the benchmarks that it has.
    :ivar list rows: what has a target.
    :ivar list series: what grows, to be drawn: (x, y) by line.
    :ivar list shares: what consists of parts, to be drawn.
    """

    def __init__(self):
        self.letters, self.rows, self.series, self.shares = [], [], [], []
        self.machine = machine()

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

    def draw(self, picture, name, x, unit, lines):
        """Note figures that belong to growing numbers, without a target.

        :param str picture: name of the picture, without extension; those of one name share it.
        :param str name: what is measured; the picture's title.
        :param str x: what grows: "parameters".
        :param str unit: of the figures.
        :param dict lines: name -> list of (x, y).
        """
        self.series.append(dict(picture=picture, name=name, x=x, unit=unit, lines=lines))
        print(name)
        print("    %12s %s" % (x, " ".join("%18s" % each for each in lines)))
        for size in sorted({size for points in lines.values() for size, _y in points}):
            figures = (dict(points).get(size) for points in lines.values())
            cells = ("%18s" % "-" if figure is None else "%15.4g %2s" % (figure, unit) for figure in figures)
            print("    %12d %s" % (size, " ".join(cells)), flush=True)

    def growth(self, picture, name, x, unit, lines, target=STEEPER, peers=(), beside=None):
        """Note costs that should grow in a straight line: those of draw(), each with a target.

        :param float target: how much steeper the upper half may be than the lower.
        :param peers: names of lines that are for comparison only, without a target.
        :param beside: the one of them that has what cannot be had for less. Where its own growth is no straight line,
            that of the others may be no steeper than so many times as much.
        """
        self.draw(picture, name, x, unit, lines)
        floor = max(1.0, steeper(lines[beside])) if beside else 1.0
        for each, points in lines.items():
            if each in peers:
                continue
            top = points[-1][0]
            figures = {"%d %s" % (size, x): figure for size, figure in (points[0], points[-1])}
            figures["each more"] = slope([point for point in points if point[0] >= top / 2])
            about = "%s, %s: growth of the upper half against the lower" % (name, each)
            if beside:
                about += ", against that of %s" % beside
            self.add(about, unit, figures, steeper(points) / floor, target, True)

    def share(self, picture, name, unit, bars):
        """Note what something consists of, without a target.

        :param str picture: name of the picture, without extension.
        :param str name: what is measured; the picture's title.
        :param str unit: of the figures.
        :param dict bars: name of the whole -> dict of part -> figure.
        """
        self.shares.append(dict(picture=picture, name=name, unit=unit, bars=bars))
        print(name)
        for row, parts in bars.items():
            whole = sum(parts.values())
            print("    %-28s %12.4g %s" % (row, whole, unit))
            for part, figure in parts.items():
                print("        %-24s %12.4g %s %5.1f %%" % (part, figure, unit, 100 * figure / whole), flush=True)

    def write(self, path):
        """Write everything to a JSON file."""
        names = ("machine", "letters", "rows", "series", "shares")
        found = {name: getattr(self, name) for name in names}
        with open(path, "w", encoding="utf-8") as target:
            json.dump(found, target, indent=2)
            target.write("\n")
