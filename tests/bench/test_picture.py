from xml.etree import ElementTree as ET

from bench.figures import Metric, Results
from bench.picture import LABELS, LONGEST, bars, draw
from bench.subjects import MITMDUMP, SLUICEGATE, SQUID

SVG = "{http://www.w3.org/2000/svg}"
HITS = Metric("hits-32.rate", "hits")
MISSES = Metric("misses-32.rate", "misses")


def measured(**rows):
    results = Results()
    for metric, of_subject in ((HITS, rows.get("hits", {})), (MISSES, rows.get("misses", {}))):
        for subject, value in of_subject.items():
            results.record(metric, subject, 1, value)
    return results


def test_each_row_has_a_bar_for_everyone_who_was_measured_with_squid():
    results = measured(hits={SLUICEGATE: 300.0, SQUID: 200.0}, misses={SLUICEGATE: 5.0, MITMDUMP: 1.0, SQUID: 10.0})

    rows = [(label, [(bar.subject, bar.ratio, bar.rate) for bar in found]) for label, found in bars(results)]

    assert rows == [
        ("hits, 32 connections", [(SLUICEGATE, 1.5, 300.0)]),
        ("misses, 32 connections", [(SLUICEGATE, 0.5, 5.0), (MITMDUMP, 0.1, 1.0)]),
    ]


def test_a_row_without_squid_is_not_drawn():
    assert bars(measured(hits={SLUICEGATE: 300.0})) == []


def test_bars_are_as_long_as_their_ratio_and_the_line_stands_at_one():
    picture = ET.fromstring(draw(measured(hits={SLUICEGATE: 300.0, SQUID: 200.0}, misses={MITMDUMP: 1.0, SQUID: 4.0})))

    rectangles = [item for item in picture.iter(f"{SVG}rect") if item.get("x") == str(LABELS) and item.get("y") != "24"]
    one, mitm = (float(item.get("width")) for item in rectangles)
    line = next(picture.iter(f"{SVG}line"))
    assert round(one / mitm, 1) == 6.0
    assert round((float(line.get("x1")) - LABELS) / one, 2) == 0.67


def test_the_picture_has_colours_for_light_and_dark():
    assert "prefers-color-scheme: dark" in draw(measured(hits={SLUICEGATE: 1.0, SQUID: 1.0}))


def test_a_run_without_the_main_rows_still_gives_a_picture():
    assert ET.fromstring(draw(Results())).tag == f"{SVG}svg"


def test_a_bar_that_would_dwarf_the_others_is_cut_with_a_tip_and_keeps_its_figure():
    text = draw(measured(hits={SLUICEGATE: 1.0, SQUID: 1.0}, misses={SLUICEGATE: 80.0, SQUID: 10.0}))
    picture = ET.fromstring(text)

    lengths = [float(item.get("width")) for item in picture.iter(f"{SVG}rect") if item.get("x") == str(LABELS)]
    assert round(lengths[-1] / lengths[-2], 1) == LONGEST
    assert len(list(picture.iter(f"{SVG}polygon"))) == 1
    assert "8.00 (80.0)" in text
