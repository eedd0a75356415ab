# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as pictures and as a table for the documentation: plain SVG, which browsers and GitHub show."""

import math
import os
import re
from xml.sax.saxutils import escape

from lab import LabError

#: What is between these in a page is replaced.
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
#: Easy to tell apart, in print and for most of those who see colours otherwise.
_COLOURS = ("#1f5fa8", "#c4501b", "#2e7d4f", "#7b4ba0", "#8a6d1d", "#4a4a4a", "#b02a5b", "#3b8ea5", "#6b8e23")
_HEADER = """<?xml version="1.0" encoding="UTF-8"?>
<!--
SPDX-FileCopyrightText: 2026 The ovm.messaging authors
SPDX-License-Identifier: GPL-3.0-or-later
-->
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s" font-family="sans-serif">
<rect width="100%%" height="100%%" fill="#fff"/>
"""
_WIDTH, _PLOT = 700, 240
# Of a plot's frame: left, right, above (with title and names), below.
_LEFT, _RIGHT, _ABOVE, _BELOW = 70, 30, 30, 45


def draw(report, folder):
    """Write the pictures of a report.

    :param dict report: as Report.write has written it.
    :param str folder: where to; made where it is missing.
    :returns: the paths, a list.
    """
    os.makedirs(folder, exist_ok=True)
    plots, written = {}, []
    for series in report["series"]:
        plots.setdefault(series["picture"], []).append(lambda top, series=series: _growth(series, top))
    for share in report["shares"]:
        plots.setdefault(share["picture"], []).append(lambda top, share=share: _share(share, top))
    names = {each["picture"]: each["name"] for each in [*report["shares"], *report["series"]]}
    for picture, parts in plots.items():
        lines, top = [], 0
        for part in parts:
            drawn, height = part(top)
            lines += drawn
            top += height
        path = os.path.join(folder, picture + ".svg")
        with open(path, "w", encoding="utf-8") as target:
            target.write(_HEADER % (_WIDTH, top, escape(names[picture], {'"': "&quot;"})))
            target.write("\n".join(lines) + "\n</svg>\n")
        written.append(path)
    return written


def table(report):
    """:returns: what has a target, as a table in Markdown."""
    lines = ["| what | figures | ratio | target | |", "| --- | --- | ---: | ---: | --- |"]
    for row in report["rows"]:
        figures = ", ".join("%s %s %s" % (name, _short(value), row["unit"]) for name, value in row["figures"].items())
        bound = "%s %g" % ("at most" if row["at_most"] else "at least", row["target"])
        cells = (row["name"], figures, "%.2f" % row["ratio"], bound, "met" if row["met"] else "**missed**")
        lines.append("| %s |" % " | ".join(cell.replace("|", "\\|") for cell in cells))
    return "\n".join(lines)


def about(report):
    """:returns: on what the report was made, as a sentence."""
    machine = report["machine"]
    return "Measured at %s on %d processors (%s), %s, Python %s, with a load of %s when it began." % (
        *(machine["at"], machine["processors"], machine["model"], machine["system"], machine["python"]),
        machine["load"],
    )


def document(report, page):
    """Put pictures and table into a page; the pictures' files go into the folder beside it that has its name.

    :raises LabError: the page has no place for figures.
    """
    folder = os.path.splitext(page)[0]
    with open(page, encoding="utf-8") as source:
        text = source.read()
    found = re.search(re.escape(BEGIN) + ".*" + re.escape(END), text, re.DOTALL)
    if not found:
        raise LabError("%s has no lines '%s' and '%s': the table goes between them" % (page, BEGIN, END))
    # None is left that nothing shows any more.
    for name in os.listdir(folder) if os.path.isdir(folder) else ():
        os.unlink(os.path.join(folder, name))
    names = {each["picture"]: each["name"] for each in [*report["shares"], *report["series"]]}
    images = []
    for path in draw(report, folder):
        picture = os.path.splitext(os.path.basename(path))[0]
        images.append("![%s](%s)" % (names[picture], os.path.relpath(path, os.path.dirname(page))))
    figures = "\n\n".join([BEGIN, about(report), *images, table(report), END])
    with open(page, "w", encoding="utf-8") as target:
        target.write(text[: found.start()] + figures + text[found.end() :])


def _growth(series, top):
    """A plot of lines over what grows."""
    lines, width = series["lines"], _WIDTH - _LEFT - _RIGHT
    points = [point for each in lines.values() for point in each]
    xs, ys = _ticks(max(x for x, _y in points)), _ticks(max(y for _x, y in points))

    def place(x, y):
        return _LEFT + width * x / xs[-1], top + _ABOVE + names + _PLOT - _PLOT * y / ys[-1]

    names = 18 * math.ceil(len(lines) / 2)
    drawn = [_text(_LEFT, top + 20, "%s, in %s" % (series["name"], series["unit"]), 14, weight="bold")]
    drawn += _legend(lines, top + 40)
    for y in ys:
        left, height = place(0, y)
        drawn.append('<path d="M%.1f %.1fh%d" stroke="#ddd"/>' % (left, height, width))
        drawn.append(_text(left - 8, height + 4, _short(y), 11, "end"))
    for x in xs:
        left, height = place(x, 0)
        drawn.append(_text(left, height + 18, "{:,}".format(round(x)) if x >= 1 or not x else _short(x), 11, "middle"))
    left, height = place(xs[-1] / 2, 0)
    drawn.append(_text(left, height + 36, series["x"], 12, "middle"))
    for colour, each in zip(_cycle(), lines.values()):
        places = [place(x, y) for x, y in each]
        path = "L".join("%.1f %.1f" % where for where in places)
        drawn.append('<path d="M%s" fill="none" stroke="%s" stroke-width="2"/>' % (path, colour))
        drawn += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*where, colour) for where in places]
    return drawn, _ABOVE + names + _PLOT + _BELOW


def _share(share, top):
    """Bars of parts."""
    bars, parts = share["bars"], list(dict.fromkeys(part for row in share["bars"].values() for part in row))
    whole = max(sum(row.values()) for row in bars.values())
    names, left = 18 * math.ceil(len(parts) / 2), 150
    drawn = [_text(_LEFT, top + 20, "%s, in %s" % (share["name"], share["unit"]), 14, weight="bold")]
    drawn += _legend(parts, top + 40)
    height = top + _ABOVE + names + 10
    for name, row in bars.items():
        drawn.append(_text(left - 8, height + 17, name, 12, "end"))
        at = left
        for colour, part in zip(_cycle(), parts):
            length = (_WIDTH - left - 90) * row.get(part, 0) / whole
            if length:
                drawn.append(
                    '<rect x="%.1f" y="%d" width="%.1f" height="24" fill="%s"/>' % (at, height, length, colour)
                )
            at += length
        drawn.append(_text(at + 6, height + 17, "%s %s" % (_short(sum(row.values())), share["unit"]), 12))
        height += 34
    return drawn, height - top + 15


def _legend(names, top):
    drawn = []
    for number, (colour, name) in enumerate(zip(_cycle(), names)):
        left, height = _LEFT + 310 * (number % 2), top + 18 * (number // 2)
        drawn.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/>' % (left, height - 9, colour))
        drawn.append(_text(left + 16, height, name, 12))
    return drawn


def _cycle():
    while True:
        yield from _COLOURS


def _text(x, y, text, size, anchor="start", weight="normal"):
    return '<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" font-weight="%s" fill="#222">%s</text>' % (
        *(x, y, size, anchor, weight),
        escape(text),
    )


def _ticks(top):
    """From 0 on, round numbers up to one that is at least ``top``."""
    step = 10.0 ** math.floor(math.log10(top))
    for divided in (5, 4, 2, 1):
        if top / (step / divided) <= 6:
            step /= divided
            break
    return [step * number for number in range(math.ceil(top / step - 1e-9) + 1)]


def _short(figure):
    """A figure in as many digits as it is worth."""
    if not figure:
        return "0"
    if abs(figure) >= 1000:
        return "{:,.0f}".format(figure)
    return "%.3g" % figure if abs(figure) >= 0.001 else "%.2e" % figure
