from dataclasses import replace

import pytest

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.selection import vary
from support.messages import request, response


def stored(varies: str, headers: str) -> StoredEntry:
    head = response(f"Vary: {varies}")
    first = request(headers=headers)
    return StoredEntry("1", first.with_fields(vary.selecting_fields(first, head)), head, 0, 0)


def matches(varies: str, first: str, second: str) -> bool:
    return vary.matches(request(headers=second), stored(varies, first))


def test_rfc9111_4_1_the_named_fields_must_be_the_same():
    assert matches("Foo, Bar", "Foo: 1\nBar: 2\nBaz: 3", "bar: 2\nfoo: 1")
    assert not matches("Foo, Bar", "Foo: 1\nBar: 2", "Foo: 1\nBar: 3")


def test_rfc9111_4_1_a_field_absent_from_one_must_be_absent_from_the_other():
    assert matches("Foo", "", "Bar: 1")
    assert not matches("Foo", "Foo: 1", "")
    assert not matches("Foo", "", "Foo: 1")


def test_rfc9111_4_1_an_asterisk_matches_nothing():
    assert not matches("*", "", "")
    assert not matches("Foo, *", "Foo: 1", "Foo: 1")
    assert vary.varies_always(response("Vary: Foo\nVary: *"))


@pytest.mark.parametrize("second", ["Foo: 1,2", "Foo: 1 ,  2", "Foo: 1\nFoo: 2"])
def test_rfc9111_4_1_whitespace_and_combined_lines_make_no_difference(second):
    assert matches("Foo", "Foo: 1, 2", second)


def test_rfc9111_4_1_neither_order_nor_case_matters_where_weights_decide():
    assert matches("Accept-Language", "Accept-Language: en;q=0.5, DE", "Accept-Language: de,en; q=0.5")
    assert not matches("Foo", "Foo: a, b", "Foo: b, a")


def test_only_the_named_fields_are_kept_and_secrets_as_a_digest():
    entry = stored("Cookie, Foo", "Cookie: session=secret\nAuthorization: Basic x\nFoo: 1")

    assert b"secret" not in repr(entry.request.fields).encode()
    assert [name for name, _ in entry.request.fields] == [b"cookie", b"foo"]
    assert vary.matches(request(headers="Cookie: session=secret\nFoo: 1"), entry)
    assert not vary.matches(request(headers="Cookie: session=other\nFoo: 1"), entry)


def test_rfc9111_4_1_the_fields_that_speak_against_a_variant_are_named():
    entry = stored("Foo, Bar, Baz", "Foo: 1\nBar: 1")

    assert list(vary.differing(request(headers="Foo: 1\nBar: 2\nBaz: 3"), entry)) == [b"bar", b"baz"]


def answers(first: str, language: str, second: str) -> bool:
    """Whether what the first list of languages selected, in that language, answers the second list."""
    head = response(f"Vary: Accept-Language\n{language}")
    asked = request(headers=f"Accept-Language: {first}")
    entry = StoredEntry("1", asked.with_fields(vary.selecting_fields(asked, head)), head, 0, 0)
    return vary.matches(request(headers=f"Accept-Language: {second}"), entry)


def test_rfc9110_12_5_4_the_language_that_both_rank_first_answers():
    assert answers("en, de", "Content-Language: de", "fr;q=0.5, de;q=1.0")
    assert answers("de-AT", "Content-Language: de-at", "DE-AT, de;q=0.9")


@pytest.mark.parametrize(
    ("first", "language", "second"),
    [
        ("en, de", "", "de"),
        ("en, de", "Content-Language: de, en", "de"),
        ("en, de", "Content-Language: de\nContent-Language: en", "de"),
        ("en, de;q=0.5", "Content-Language: de", "de"),
        ("en, de", "Content-Language: de", "fr, de"),
        ("en, de", "Content-Language: de", "de-AT, de;q=0.9"),
        ("en, de", "Content-Language: de", "de;q=0"),
    ],
)
def test_any_doubt_about_the_language_is_the_origins_to_resolve(first, language, second):
    assert not answers(first, language, second)
    assert not vary.matches(request(), stored("Accept-Language", "Accept-Language: en"))


def test_what_the_origin_confirmed_for_other_requests_is_selected_by_them_too():
    entry = stored("Foo", "Foo: 0")
    for number in range(1, vary.MAX_SELECTIONS + 2):
        asked = request(headers=f"Foo: {number}")
        assert not vary.matches(asked, entry)
        entry = replace(entry, request=vary.reselected(entry, asked, entry.response))
        assert vary.matches(asked, entry)
        assert vary.reselected(entry, asked, entry.response) is entry.request

    kept = [number for number in range(30) if vary.matches(request(headers=f"Foo: {number}"), entry)]
    assert kept == list(range(2, vary.MAX_SELECTIONS + 2))


def test_another_vary_than_before_counts_for_who_it_was_confirmed_for():
    entry = stored("Foo", "Foo: 1\nBar: 1")
    head = response("Vary: Bar")

    now = replace(entry, request=vary.reselected(entry, request(headers="Foo: 1\nBar: 2"), head), response=head)

    assert vary.matches(request(headers="Bar: 2"), now)
    assert not vary.matches(request(headers="Bar: 1"), now)
