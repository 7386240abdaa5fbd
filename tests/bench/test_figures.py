import json

import pytest

from bench.figures import ABSENT, Comparison, Metric, Results, as_json, figure, is_noisy, middle, ratio, table

RATE = Metric("hits-32.rate", "rate, 1/s")
DELAY = Metric("hits-1.p50", "delay, µs", less_is_better=True)
ADDED = Metric("hits-1.added", "added delay, µs")
COMPARED = (Comparison("ours", "theirs", "÷theirs"),)


def results_of(metric, **of_subject):
    results = Results()
    for subject, series in of_subject.items():
        for number, value in series.items():
            results.record(metric, subject, number, value)
    return results


def test_the_figure_of_a_metric_is_its_median():
    assert middle({1: 10.0, 2: 1000.0, 3: 12.0}) == 12.0


def test_nothing_measured_has_no_figure():
    assert middle({}) is None


def test_a_ratio_is_taken_within_each_round_so_that_a_slow_round_does_not_count():
    ours = {1: 50.0, 2: 5.0, 3: 60.0}
    theirs = {1: 100.0, 2: 10.0, 3: 100.0}

    assert ratio(ours, theirs) == 0.5


def test_a_ratio_leaves_out_rounds_that_failed_for_either():
    assert ratio({1: 5.0, 3: 8.0}, {1: 10.0, 2: 1.0}) == 0.5


def test_a_ratio_to_nothing_or_less_is_not_told():
    assert ratio({1: 5.0, 2: 4.0}, {1: 0.0, 2: -3.0}) is None


@pytest.mark.parametrize(
    ("series", "noisy"), [({1: 100.0, 2: 115.0}, False), ({1: 100.0, 2: 130.0}, True), ({1: 9.0}, False)]
)
def test_a_figure_is_noisy_when_its_rounds_disagree(series, noisy):
    assert is_noisy(series) is noisy


def test_what_a_proxy_adds_is_counted_round_by_round_and_not_for_the_baseline():
    results = results_of(DELAY, proxy={1: 30.0, 2: 50.0, 3: 40.0}, direct={1: 10.0, 2: 20.0})

    results.record_added(ADDED, DELAY, "direct")

    assert results.samples[ADDED] == {"proxy": {1: 20.0, 2: 30.0}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.514, "0.51"),
        (12.34, "12.3"),
        (1234.5, "1,234"),
        (-45.67, "-45.7"),
        (99999.9, "100,000"),
    ],
)
def test_a_figure_shows_the_digits_that_mean_something(value, text):
    assert figure(value) == text


def test_the_table_shows_ratios_first_then_the_figures_and_marks_the_noisy_ones():
    results = results_of(RATE, ours={1: 50.0, 2: 80.0}, theirs={1: 100.0, 2: 100.0})

    head, _gap, line, *_ = table(results, ["ours", "theirs"], COMPARED).splitlines()

    assert head.split() == ["÷theirs", "ours", "theirs"]
    assert line.split() == ["rate,", "1/s", "0.65", "65.0~", "100"]


def test_the_table_says_where_less_is_better_and_leaves_out_columns_that_hold_nothing():
    results = results_of(DELAY, ours={1: 5.0})

    head, _gap, line, *_ = table(results, ["ours", "theirs"], COMPARED).splitlines()

    assert head.split() == ["ours"]
    assert line.split() == ["delay,", "µs", "↓", "5.00"]


def test_who_is_not_available_is_told_in_every_line_of_the_row_and_in_no_other():
    results = results_of(RATE, ours={1: 50.0})
    results.record(DELAY, "ours", 1, 5.0)

    results.record_absent("hits-32", "two workers")

    lines = table(results, ["ours", "two workers"], ()).splitlines()
    assert [line.count(ABSENT) for line in lines if line.startswith(("rate", "delay"))] == [1, 0]
    assert [metric["not_available"] for metric in as_json(results, ())] == [["two workers"], []]


def test_rows_of_one_kind_stand_together():
    results = results_of(RATE, ours={1: 1.0})
    results.record(DELAY, "ours", 1, 5.0)
    results.record(Metric("misses-32.rate", "misses"), "ours", 1, 2.0)

    lines = table(results, ["ours"], ()).splitlines()

    assert [line.split(",")[0].split(" ")[0] for line in lines[1:6]] == ["", "rate", "delay", "", "misses"]


def test_the_json_holds_every_sample_and_null_for_the_rounds_that_failed():
    results = results_of(RATE, ours={1: 50.0, 3: 70.0}, theirs={1: 100.0, 2: 100.0, 3: 100.0})

    (metric,) = json.loads(json.dumps(as_json(results, COMPARED)))

    assert metric["subjects"]["ours"] == {"median": 60.0, "rounds": [50.0, None, 70.0]}
    assert metric["ratios"] == {"ours / theirs": 0.6}
