import pytest

from sluicegate.core.caching.fields.control import control_of
from support.messages import response

CDN = (b"cdn-cache-control",)


def values(headers: str, targeted: tuple[bytes, ...] = CDN) -> dict[str, list[bytes | None]]:
    return control_of(response(headers), targeted).directives.values


def test_rfc9213_2_2_a_targeted_field_stands_in_for_cache_control_and_expires():
    control = control_of(response("Cache-Control: no-store\nExpires: 0\nCDN-Cache-Control: max-age=60"), CDN)

    assert control.directives.values == {"max-age": [b"60"]}
    assert not control.heeds_expires


def test_without_one_cache_control_and_expires_govern():
    control = control_of(response("Cache-Control: no-store\nOther-Cache-Control: max-age=60"), CDN)

    assert control.directives.values == {"no-store": [None]}
    assert control.heeds_expires


def test_a_field_that_is_not_on_the_list_is_nothing_special():
    assert values("Cache-Control: no-store\nCDN-Cache-Control: max-age=60", ()) == {"no-store": [None]}


def test_rfc9213_2_2_the_first_of_the_list_counts_wherever_it_stands():
    both = "A-Cache-Control: max-age=1\nB-Cache-Control: max-age=2"

    assert values(both, (b"b-cache-control", b"a-cache-control")) == {"max-age": [b"2"]}


@pytest.mark.parametrize("invalid", ["", " ", "max-age=60, &&&", "MAX-AGE=60", "max-age=60 no-store", "max-age=", "é"])
def test_rfc9213_2_2_an_invalid_or_empty_field_is_ignored(invalid):
    headers = f"CDN-Cache-Control: {invalid}\nB-Cache-Control: max-age=2\nCache-Control: no-store"

    assert values(headers) == {"no-store": [None]}
    assert values(headers, (*CDN, b"b-cache-control")) == {"max-age": [b"2"]}


def test_rfc9213_2_1_members_are_directives_and_parameters_are_ignored():
    spelt = 'CDN-Cache-Control: max-age=60;x=1, no-cache="Set-Cookie, Foo", must-revalidate, private=?0, s-maxage=?1'

    assert values(spelt) == {
        "max-age": [b"60"],
        "no-cache": [b"Set-Cookie, Foo"],
        "must-revalidate": [None],
        "s-maxage": [None],
    }


def test_the_lines_of_a_field_are_one_dictionary_whose_last_member_of_a_name_counts():
    assert values("CDN-Cache-Control: max-age=1, public\nCDN-Cache-Control: max-age=2") == {
        "max-age": [b"2"],
        "public": [None],
    }


@pytest.mark.parametrize("wrong", ['"60"', "60.5", "sixty", "(60)", "-60", "?1"])
def test_a_lifetime_that_is_no_number_of_seconds_is_stale(wrong):
    control = control_of(response(f"CDN-Cache-Control: max-age={wrong}"), CDN)

    assert control.directives.seconds("max-age") == 0
