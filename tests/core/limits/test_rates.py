import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.limits.model import Rate
from sluicegate.core.limits.rates import format_rate, format_rates, parse_rate, parse_rates


@pytest.mark.parametrize(
    ("text", "window_s", "count"),
    [
        ("10/second", 1, 10),
        ("10/s", 1, 10),
        ("1/3second", 3, 1),
        ("1/3seconds", 3, 1),
        ("5000/hour", 3600, 5000),
        ("100/5min", 300, 100),
        (" 100 / 5 Minutes ", 300, 100),
        ("20/day", 86_400, 20),
        ("7/2weeks", 1_209_600, 7),
        ("5/250ms", 0.25, 5),
        ("3/1.5second", 1.5, 3),
    ],
)
def test_a_rate_is_read_as_people_write_it(text, window_s, count):
    assert parse_rate(text) == Rate(window_s=window_s, count=count)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "10/",
        "/second",
        "10/fortnight",
        "-1/second",
        "0/second",
        "1/0second",
        "0.5/second",
        "1e3/second",
        "١/second",
    ],
)
def test_what_is_no_rate_is_refused_with_what_is_allowed(text):
    with pytest.raises(ValueError, match=r"allowed: COUNT/\[NUMBER\]UNIT"):
        parse_rate(text)


def test_rates_hold_together_shortest_window_first():
    rates = parse_rates(["5000/hour", "10/second", "10/second"])

    assert rates == (Rate(1, 10), Rate(3600, 5000))


@pytest.mark.parametrize("text", ["10/second 5000/hour", "10/second,5000/hour", " 10 / second ,  5000/hour "])
def test_one_string_may_hold_several_rates(text):
    assert parse_rates(text) == (Rate(1, 10), Rate(3600, 5000))


@pytest.mark.parametrize("value", ["unlimited", "Unlimited", ["unlimited"]])
def test_unlimited_means_no_rate(value):
    assert parse_rates(value) == ()


@pytest.mark.parametrize("value", ["", [], ["unlimited", "1/second"], "1/second nonsense"])
def test_rates_that_make_no_sense_are_refused(value):
    with pytest.raises(ValueError):
        parse_rates(value)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from(["ms", "second", "min", "hour"]))
def test_a_rate_that_is_shown_reads_as_the_same_rate(count, number, unit):
    rate = parse_rate(f"{count}/{min(number, 5_000)}{unit}")

    assert parse_rate(format_rate(rate)) == rate


def test_rates_are_shown_in_one_line():
    assert format_rates(parse_rates("1/3second 5000/hour")) == "1/3second 5000/hour"
    assert format_rates(()) == "unlimited"
