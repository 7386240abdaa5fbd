import pytest

from sluicegate.core.caching import freshness
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.fields.control import control_of
from sluicegate.core.caching.fields.directives import format_date
from support.messages import request, response

NOW = 1_800_000_000.0


def entry(headers: str = "", *, sent: float = NOW, received: float = NOW, status: int = 200) -> StoredEntry:
    return StoredEntry("1", request(), response(headers, status=status), sent, received)


def date(delta_s: float = 0.0) -> str:
    return format_date(NOW + delta_s).decode()


def lifetime(headers: str, *, shared: bool = True, status: int = 200) -> int:
    head = response(headers, status=status)
    return freshness.lifetime(head, control_of(head, ()), shared=shared, response_time=NOW)


def test_rfc9111_4_2_3_received_age_counts():
    assert freshness.initial_age(entry("Age: 5000")) == 5000


def test_rfc9111_4_2_3_time_under_way_counts():
    assert freshness.initial_age(entry(sent=NOW - 7)) == 7


def test_rfc9111_4_2_3_an_old_date_counts_where_age_says_less():
    assert freshness.initial_age(entry(f"Date: {date(-100)}\nAge: 5")) == 100


def test_an_origin_whose_clock_is_fast_makes_nothing_younger_than_it_is():
    assert freshness.initial_age(entry(f"Date: {date(+100)}")) == 0


def test_rfc9111_4_2_1_s_maxage_is_for_shared_caches_only():
    headers = f"Cache-Control: s-maxage=1, max-age=2\nExpires: {date(3)}\nDate: {date()}"

    assert lifetime(headers) == 1
    assert lifetime(headers, shared=False) == 2


def test_rfc9111_5_3_expires_is_relative_to_date():
    assert lifetime(f"Expires: {date(60)}\nDate: {date(-40)}") == 100


def test_rfc9111_5_3_an_invalid_or_past_expires_is_stale_whatever_last_modified_says():
    assert lifetime(f"Expires: 0\nLast-Modified: {date(-864000)}") == 0
    assert lifetime(f"Expires: {date(-60)}\nDate: {date()}") == 0


def test_rfc9111_4_2_2_a_tenth_of_how_long_it_had_not_changed_at_most_a_week():
    assert lifetime(f"Last-Modified: {date(-1000)}\nDate: {date()}") == 100
    assert lifetime(f"Last-Modified: {date(-864000000)}\nDate: {date()}") == 7 * 24 * 3600
    assert lifetime(f"Last-Modified: {date(+1000)}\nDate: {date()}") == 0


def test_rfc9111_4_2_2_only_some_statuses_are_fresh_without_saying_so():
    headers = f"Last-Modified: {date(-1000)}\nDate: {date()}"

    assert lifetime(headers, status=404) == 100
    assert lifetime(headers, status=500) == 0
    assert lifetime(f"{headers}\nCache-Control: public", status=500) == 100


def test_nothing_said_is_not_fresh():
    assert lifetime("") == 0


@pytest.mark.parametrize(
    ("directive", "shared", "private"),
    [
        ("must-revalidate", True, True),
        ("no-cache", True, True),
        ("proxy-revalidate", True, False),
        ("s-maxage=1", True, False),
        ("max-age=1", False, False),
        ('no-cache="foo"', False, False),
    ],
)
def test_rfc9111_4_2_4_who_forbids_a_stale_answer(directive, shared, private):
    control = control_of(response(f"Cache-Control: {directive}"), ())

    assert freshness.forbids_stale(control, shared=True) is shared
    assert freshness.forbids_stale(control, shared=False) is private


@pytest.mark.parametrize(
    ("headers", "source"),
    [
        ("Cache-Control: max-age=1, s-maxage=2", freshness.Source.S_MAXAGE),
        (f"Cache-Control: max-age=0\nExpires: {date(60)}", freshness.Source.MAX_AGE),
        ("Expires: 0", freshness.Source.EXPIRES),
        (f"Last-Modified: {date(-3600)}", freshness.Source.HEURISTIC),
        ("", freshness.Source.NOTHING),
    ],
)
def test_rfc9111_4_2_1_a_lifetime_says_what_it_was_taken_from(headers, source):
    head = response(headers)

    found = freshness.sourced_lifetime(head, control_of(head, ()), shared=True, response_time=NOW)

    assert found == (lifetime(headers), source)
