import pytest

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.fields.directives import cache_control, format_date
from sluicegate.core.caching.validation.headers import freshened, stored_form, with_age
from support.messages import fields, response

SHARED, PRIVATE = CacheOptions(shared=True), CacheOptions(shared=False)
NOW = 1_800_000_000.0
DATE = f"Date: {format_date(NOW).decode()}"


def stored(headers: str, options: CacheOptions = SHARED):
    head = response(headers)
    return stored_form(head, cache_control(head.fields), options, NOW).fields


def test_rfc9111_3_1_fields_of_one_connection_are_not_stored():
    kept = stored(
        f"{DATE}\nConnection: close, Foo\nFoo: 1\nKeep-Alive: x\nTransfer-Encoding: chunked\nTrailer: T\nBar: 2"
    )

    assert kept == fields(f"{DATE}\nBar: 2")


def test_order_case_and_repetition_are_kept():
    text = f"{DATE}\nSet-Cookie: a=1\nX-fOO: 1\nset-cookie: b=2"

    assert stored(text) == fields(text)


def test_rfc9111_5_2_2_4_fields_that_no_cache_names_are_not_stored():
    assert stored(f'{DATE}\nCache-Control: no-cache="Foo"\nFoo: 1') == fields(f'{DATE}\nCache-Control: no-cache="Foo"')


def test_rfc9111_5_2_2_7_fields_that_private_names_are_not_stored_in_a_shared_cache():
    text = f'{DATE}\nCache-Control: private="Foo"\nFoo: 1'

    assert stored(text) == fields(f'{DATE}\nCache-Control: private="Foo"')
    assert stored(text, PRIVATE) == fields(text)


def test_rfc9110_6_6_1_a_response_without_a_valid_date_gets_one():
    assert stored("Foo: 1") == fields(f"Foo: 1\n{DATE}")
    assert stored("Date: now\nFoo: 1") == fields(f"Foo: 1\n{DATE}")


def test_rfc9111_3_2_a_304_updates_fields_but_not_what_describes_the_body():
    old = response("Content-Type: text/plain\nContent-Length: 5\nFoo: old\nBar: kept\nFoo: older\nAge: 100")
    news = response(f"{DATE}\nContent-Type: text/html\nContent-Length: 0\nFoo: new\nConnection: X\nX: 1", status=304)

    merged = freshened(old, news, SHARED, NOW)

    assert merged.fields == fields(f"Content-Type: text/plain\nContent-Length: 5\nBar: kept\n{DATE}\nFoo: new")
    assert merged.status == 200


def test_a_304_without_a_date_dates_from_its_arrival():
    old = response("Date: Sun, 06 Nov 1994 08:49:37 GMT")

    assert freshened(old, response(status=304), SHARED, NOW).fields == fields(DATE)


def test_rfc9111_5_1_age_replaces_a_received_one():
    assert with_age(fields("Age: 5\nFoo: 1"), 7) == fields("Foo: 1\nAge: 7")


def test_a_weak_tag_is_not_made_strong_by_the_304_about_it():
    kept = freshened(response('ETag: W/"a"'), response('ETag: "a"\nX-Foo: 1', status=304), SHARED, NOW)

    assert (kept.get(b"etag"), kept.get(b"x-foo")) == (b'W/"a"', b"1")


@pytest.mark.parametrize(
    "name", ["Content-MD5", "Content-Digest", "Content-Type", "Content-Length", "Content-Encoding"]
)
def test_rfc9111_3_2_what_a_304_says_of_its_own_content_is_not_taken_over(name):
    kept = freshened(response(f"{name}: a"), response(f"{name}: b\nX-Foo: 1", status=304), SHARED, NOW)

    assert (kept.get(name.lower().encode()), kept.get(b"x-foo")) == (b"a", b"1")
