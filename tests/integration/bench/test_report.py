# SPDX-FileCopyrightText: 2026 The ovm.messaging authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` says of its figures: straight or not, met or not, as pictures and in a page."""

import json
import math
from xml.etree import ElementTree

import pytest

from bench import pictures
from bench.measure import Report, steeper
from lab import LabError

SIZES = (1, 10, 100, 1000, 2500, 5000, 7500, 10000)


@pytest.mark.parametrize(
    "cost, low, high",
    [
        (lambda x: 7 + 3 * x, 0.99, 1.01),
        (lambda x: x * math.log(x), 1.0, 1.2),
        (lambda x: x**1.5, 1.5, 2.5),
        (lambda x: x**2, 2.5, 3.5),
        # a knee: each costs ten times as much from some size on
        (lambda x: x if x <= 5000 else 5000 + 10 * (x - 5000), 9, 11),
    ],
)
def test_what_is_not_straight_shows(cost, low, high):
    assert low < steeper([(size, cost(size)) for size in SIZES]) < high


@pytest.fixture
def report(tmp_path):
    made = Report()
    made.add("a <b> & c", "s", {"ours": 1.5, "peer | other": 3.0}, 0.5, 1, True)
    made.add("d", "/s", {"ours": 12345.6}, 2.0, 3, False)
    lines = {'"ours" & <theirs>': [(1, 0.5), (2000, 12.0)], "peer": [(1, 0.1), (1000, 3.0)]}
    made.draw("growth", "a <b> & c", "VMs", "s", lines)
    made.draw("growth", "another", "VMs", "ms", {"only": [(1, 0.0004), (10, 0.0005)]})
    made.growth("straight", "e", "keys", "s", {"ours": [(size, 2.0 * size) for size in SIZES]})
    made.share("parts", "f", "s", {"one": {"a": 1.0, "b": 2.0}, "two": {"b": 1.0}})
    path = tmp_path / "report.json"
    made.write(str(path))
    return json.loads(path.read_text())


def test_pictures_are_drawn(report, tmp_path):
    drawn = pictures.draw(report, str(tmp_path / "pictures"))
    assert sorted(path.rpartition("/")[2] for path in drawn) == ["growth.svg", "parts.svg", "straight.svg"]
    growth = ElementTree.parse(tmp_path / "pictures" / "growth.svg").getroot()
    texts = [text.text for text in growth.iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <b> & c, in s", '"ours" & <theirs>', "another, in ms", "2,000"} <= set(texts)
    assert len(list(growth.iter("{http://www.w3.org/2000/svg}circle"))) == 6
    width, height = (float(number) for number in growth.get("viewBox").split()[2:])
    for circle in growth.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 < float(circle.get("cx")) < width and 0 < float(circle.get("cy")) < height


def test_a_straight_line_meets_its_target(report):
    row = report["rows"][2]
    assert row["met"] and row["ratio"] == pytest.approx(1) and row["figures"]["each more"] == pytest.approx(2)


def test_a_page_gets_the_table_and_the_pictures(report, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n%s\nold\n%s\nafter\n" % (pictures.BEGIN, pictures.END))
    pictures.document(report, str(page))
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| a <b> & c | ours 1.5 s, peer \\| other 3 s | 0.50 | at most 1 | met |" in text
    assert "| d | ours 12,346 /s | 2.00 | at least 3 | **missed** |" in text
    assert "![f](page/parts.svg)" in text
    assert sorted(path.name for path in (tmp_path / "page").iterdir()) == ["growth.svg", "parts.svg", "straight.svg"]
    report["shares"] = []
    pictures.document(report, str(page))
    assert "parts.svg" not in page.read_text() and not (tmp_path / "page" / "parts.svg").exists()


def test_a_page_without_a_place_for_it_is_an_error(report, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("nothing\n")
    with pytest.raises(LabError, match=r"page\.md has no lines"):
        pictures.document(report, str(page))
