import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.fields.directives import (
    MAX_SECONDS,
    age_of,
    cache_control,
    date_of,
    format_date,
    parse_date,
)
from support.messages import fields

NOW = 1_800_000_000.0


def directives(*values: str):
    return cache_control([(b"Cache-Control", value.encode()) for value in values])


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("max-age=60", 60),
        ("MAX-AGE=60", 60),
        ('max-age="60"', 60),
        ("max-age=0060", 60),
        ("public,max-age=60 , foo", 60),
        ('foo="bar, max-age=1", max-age=60', 60),
        ('foo="a\\"b, max-age=1", max-age=60', 60),
        ("max-age=99999999999", MAX_SECONDS),
        ("max-age=" + "9" * 5000, MAX_SECONDS),
    ],
)
def test_rfc9111_5_2_the_seconds_of_a_directive(value, seconds):
    assert directives(value).seconds("max-age") == seconds


@pytest.mark.parametrize(
    "value", ["max-age=a60", "max-age=60a", "max-age=-60", "max-age=6.0", "max-age='60'", "max-age"]
)
def test_rfc9111_4_2_1_an_invalid_number_of_seconds_is_none_at_all(value):
    assert directives(value).seconds("max-age") == 0


def test_rfc9111_4_2_1_the_first_of_several_values_counts():
    assert directives("max-age=1, max-age=60").seconds("max-age") == 1
    assert directives("max-age=60", "max-age=1").seconds("max-age") == 60


def test_an_absent_directive_has_no_seconds():
    assert directives("public").seconds("max-age") is None


def test_rfc9111_5_2_2_4_field_names_of_the_qualified_form():
    parsed = directives('no-cache="Set-Cookie, Foo"', "private=Bar")

    assert parsed.field_names("no-cache") == {b"set-cookie", b"foo"}
    assert parsed.field_names("private") == {b"bar"}
    assert not parsed.unqualified("no-cache")
    assert directives('no-cache="a", no-cache').unqualified("no-cache")


@given(st.lists(st.sampled_from(["no-store", "max-age=5", 'private="a, b"', 'x="q\\"\\\\"', "y=", ",", '"', "=", "é"])))
def test_a_spelling_of_parsed_directives_parses_to_the_same(parts):
    parsed = cache_control([(b"Cache-Control", ",".join(parts).encode())])

    assert directives(parsed.serialised()).values == parsed.values


@given(st.binary(max_size=60))
def test_no_field_value_breaks_the_parser(value):
    cache_control([(b"Cache-Control", value)])
    age_of([(b"Age", value)])
    parse_date(value)


@pytest.mark.parametrize(
    "value", [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"]
)
def test_rfc9110_5_6_7_all_three_forms_of_a_date(value):
    assert parse_date(value, NOW) == 784111777


@pytest.mark.parametrize(("year", "full"), [("76", 2076), ("78", 1978), ("00", 2000), ("27", 2027)])
def test_rfc9110_5_6_7_a_year_of_two_digits_is_at_most_50_years_ahead(year, full):
    value = f"Friday, 07-Nov-{year} 08:49:37 GMT".encode()

    assert parse_date(value, NOW) == parse_date(f"Fri, 07 Nov {full} 08:49:37 GMT".encode(), NOW)


@pytest.mark.parametrize("directive", ["no-cache", "private"])
@pytest.mark.parametrize("value", ['""', '", ,"', '"a b"', "a=b", "="])
def test_rfc9111_5_2_2_a_list_of_fields_that_is_none_counts_as_if_it_were_not_there(directive, value):
    parsed = directives(f"{directive}={value}, max-age=60")

    assert parsed.unqualified(directive)
    assert parsed.field_names(directive) == frozenset()


def test_rfc9111_5_2_2_a_list_of_fields_may_be_quoted_or_one_token():
    assert directives('no-cache="Set-Cookie, foo",private=Bar').field_names("no-cache") == {b"set-cookie", b"foo"}
    assert directives('no-cache="Set-Cookie, foo",private=Bar').field_names("private") == {b"bar"}
    assert not directives("private=Bar").unqualified("private")


@pytest.mark.parametrize(
    "value",
    [
        b"0",
        b"-1",
        b"",
        b"Sun, 31 Feb 2027 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:61 GMT",
        b"Sun, 06 Nov 1994 08:49:37 UTC",
        b"Sun, 06 Nov 1994 08:49:37 +0100",
        b"Sun, 06 Foo 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_none(value):
    assert parse_date(value) is None


@given(st.integers(min_value=0, max_value=4_000_000_000))
def test_a_formatted_date_parses_to_the_same_second(unix_s):
    assert parse_date(format_date(unix_s)) == unix_s


def test_the_first_of_several_date_lines_counts():
    assert date_of(fields("Expires: 0\nExpires: Sun, 06 Nov 1994 08:49:37 GMT"), b"expires") is None


@pytest.mark.parametrize(("value", "age"), [("7200", 7200), ("7200, 0", 7200), ("0, 7200", 0), ("abc", 0), ("-7", 0)])
def test_rfc9111_5_1_the_first_member_of_age_counts_and_an_invalid_one_is_ignored(value, age):
    assert age_of(fields(f"Age: {value}")) == age
