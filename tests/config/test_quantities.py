import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.leaf import Unacceptable
from sluicegate.config.quantities import (
    duration,
    parse_duration,
    parse_size,
    rates,
    show_duration,
    show_rates,
    show_size,
    size,
)
from sluicegate.core.limits.model import Rate


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("500ms", 0.5), ("60s", 60), ("5m", 300), ("1h", 3600), ("7d", 604_800), ("1.5h", 5400), (30, 30), (0.5, 0.5)],
)
def test_a_duration_is_read_in_seconds(value, seconds):
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("64KiB", 65_536),
        ("512MB", 512_000_000),
        ("10GiB", 10 * 2**30),
        ("1kB", 1000),
        (4096, 4096),
        ("1.5MiB", 1_572_864),
    ],
)
def test_a_size_is_read_in_bytes(value, number):
    assert parse_size(value) == number


@pytest.mark.parametrize(
    "value", ["", "soon", "5 parsecs", "-5s", -5, True, None, [], {}, "5s5", "1e400", float("nan"), "٣s"]
)
def test_what_is_no_quantity_is_unacceptable(value):
    with pytest.raises(Unacceptable):
        parse_duration(value)
    with pytest.raises(Unacceptable):
        parse_size(value)


def test_a_duration_outside_its_bounds_is_unacceptable():
    leaf = duration("1s", "1h")

    assert leaf.read("1s") == 1
    assert leaf.read("1h") == 3600
    with pytest.raises(Unacceptable, match="too short"):
        leaf.read("999ms")
    with pytest.raises(Unacceptable, match="too long"):
        leaf.read("61m")


def test_a_size_outside_its_bounds_is_unacceptable():
    leaf = size("1KiB", "1MiB")

    assert leaf.read("1KiB") == 1024
    with pytest.raises(Unacceptable, match="too small"):
        leaf.read(1023)
    with pytest.raises(Unacceptable, match="too large"):
        leaf.read("1025KiB")


@given(st.floats(min_value=0.001, max_value=10_000_000, allow_nan=False))
def test_a_duration_that_is_shown_reads_the_same(seconds):
    assert parse_duration(show_duration(seconds)) == pytest.approx(seconds, rel=1e-6, abs=1e-6)


@given(st.integers(min_value=0, max_value=2**50))
def test_a_size_that_is_shown_reads_the_same(amount):
    assert parse_size(show_size(amount)) == amount


@pytest.mark.parametrize(("value", "shown"), [(90, "90s"), (3600, "1h"), (0.25, "250ms"), (0, "0s"), (86_400, "1d")])
def test_durations_are_shown_short(value, shown):
    assert show_duration(value) == shown


@pytest.mark.parametrize(
    "value",
    ["10/fortnight", "0/second", "-1/second", "ten/second", "", [], [5], 5, None, {"a": 1}, ["unlimited", "1/second"]],
)
def test_what_is_no_rate_is_unacceptable(value):
    with pytest.raises(Unacceptable):
        rates(value)


@pytest.mark.parametrize(
    ("value", "expected", "shown"),
    [
        ("10/second", (Rate(1.0, 10),), ["10/second"]),
        (["5/second", "1000/hour"], (Rate(1.0, 5), Rate(3600.0, 1000)), ["5/second", "1000/hour"]),
        ("unlimited", (), "unlimited"),
    ],
)
def test_rates_are_read_and_shown(value, expected, shown):
    assert rates(value) == expected
    assert show_rates(expected) == shown
