import json

import pytest

from bench.figures import Metric, Results, as_json, figure, is_noisy, middle, ratio, table

RATE = Metric("rate", "rate, 1/s")
DELAY = Metric("delay", "delay, µs", less_is_better=True)
ADDED = Metric("added", "added delay, µs")


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


def test_the_table_shows_each_figure_beside_its_ratio_and_marks_the_noisy_ones():
    results = results_of(RATE, ours={1: 50.0, 2: 80.0}, theirs={1: 100.0, 2: 100.0})

    head, line, *_ = table(results, ["ours", "theirs"], "theirs").splitlines()

    assert head.split() == ["ours", "/theirs", "theirs", "/theirs"]
    assert line.split() == ["rate,", "1/s", "65.0~", "0.65", "100", "1.00"]


def test_the_table_says_where_less_is_better_and_leaves_gaps_for_what_was_not_measured():
    results = results_of(DELAY, ours={1: 5.0})

    line = table(results, ["ours", "theirs"], "theirs").splitlines()[1]

    assert line.split() == ["delay,", "µs", "↓", "5.00", "-", "-", "-"]


def test_the_json_holds_every_sample_and_null_for_the_rounds_that_failed():
    results = results_of(RATE, ours={1: 50.0, 3: 70.0}, theirs={1: 100.0, 2: 100.0, 3: 100.0})

    (metric,) = json.loads(json.dumps(as_json(results, "theirs")))

    assert metric["subjects"]["ours"] == {"median": 60.0, "ratio": 0.6, "rounds": [50.0, None, 70.0]}
