import pytest

from sluicegate.core.caching import vary
from sluicegate.core.caching.entry import StoredEntry
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
