import pytest

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.validation import conditions
from support.messages import fields, request, response

OLD, NEW = "Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"


def entry(headers: str, status: int = 200) -> StoredEntry:
    return StoredEntry("1", request(), response(headers, status=status), 0, 0)


def test_rfc9111_4_3_1_a_validating_request_carries_the_stored_validators_and_not_the_clients():
    asked = conditions.conditional(
        request(headers=f'Accept: */*\nIf-None-Match: "mine"\nIf-Modified-Since: {NEW}'),
        entry(f'ETag: W/"stored"\nLast-Modified: {OLD}'),
    )

    assert asked.fields == fields(f'Accept: */*\nIf-None-Match: W/"stored"\nIf-Modified-Since: {OLD}')


@pytest.mark.parametrize("tags", ['"a"', 'W/"a"', '"x", "a"', '"a","x"', "*"])
@pytest.mark.parametrize("stored", ['"a"', 'W/"a"'])
def test_rfc9111_4_3_2_entity_tags_are_compared_weakly(tags, stored):
    assert conditions.unmodified_for(request(headers=f"If-None-Match: {tags}"), entry(f"ETag: {stored}"))


def test_rfc9110_13_2_2_if_none_match_goes_before_if_modified_since():
    asked = request(headers=f'If-None-Match: "b"\nIf-Modified-Since: {NEW}')

    assert not conditions.unmodified_for(asked, entry(f'ETag: "a"\nLast-Modified: {OLD}'))
    assert not conditions.unmodified_for(asked, entry(f"Last-Modified: {OLD}"))


@pytest.mark.parametrize(("since", "unmodified"), [(OLD, True), (NEW, True), ("Sat, 05 Nov 1994 08:49:37 GMT", False)])
@pytest.mark.parametrize("known_by", ["Last-Modified", "Date"])
def test_rfc9111_4_3_2_if_modified_since_is_compared_with_last_modified_or_else_date(since, unmodified, known_by):
    asked = request(headers=f"If-Modified-Since: {since}")

    assert conditions.unmodified_for(asked, entry(f"{known_by}: {OLD}")) is unmodified


def test_a_condition_is_not_applied_to_an_error():
    assert not conditions.unmodified_for(request(headers='If-None-Match: "a"'), entry('ETag: "a"', status=404))


@pytest.mark.parametrize(
    ("status", "judged"), [(203, True), (204, True), (299, True), (206, False), (301, False), (404, False)]
)
def test_rfc9110_13_2_1_conditions_are_for_whole_successful_responses(status, judged):
    assert conditions.unmodified_for(request(headers='If-None-Match: "a"'), entry('ETag: "a"', status=status)) is judged


def test_rfc9110_13_1_3_several_dates_are_no_condition():
    asked = request(headers=f"If-Modified-Since: {NEW}\nIf-Modified-Since: {NEW}")

    assert not conditions.unmodified_for(asked, entry(f"Last-Modified: {OLD}"))


@pytest.mark.parametrize(
    ("told", "tag"),
    [
        ('ETag: "a"', b'"a"'),
        ('ETag: W/"a b"', None),
        ('ETag: W/"\xff"', b'W/"\xff"'),
        ("ETag: a", None),
        ('ETag: w/"a"', None),
        ('ETag: "a", "b"', None),
        ('ETag: "a"\nETag: "a"', None),
        ("", None),
    ],
)
def test_rfc9110_8_8_3_what_is_an_entity_tag(told, tag):
    assert conditions.tag_of(response(told)) == tag


def test_rfc9111_4_1_other_variants_are_asked_about_by_their_tags():
    others = [entry('ETag: "a"'), entry('ETag: W/"b"'), entry('ETag: "a"'), entry("ETag: c")]

    asked = conditions.conditional(request(headers="Accept: */*"), None, others)

    assert asked.fields == fields('Accept: */*\nIf-None-Match: "a", W/"b"')


def test_an_invalid_date_is_no_condition():
    assert not conditions.unmodified_for(request(headers="If-Modified-Since: soon"), entry(f"Last-Modified: {OLD}"))


def test_rfc9110_15_4_5_a_304_describes_no_body():
    head = conditions.not_modified(fields('ETag: "a"\nContent-Type: text/plain\nContent-Length: 5\nAge: 3'))

    assert head.status == 304
    assert head.fields == fields('ETag: "a"\nAge: 3')


def test_an_invalid_last_modified_validates_nothing():
    assert conditions.has_validator(response('ETag: "a"'))
    assert conditions.has_validator(response(f"Last-Modified: {OLD}"))
    assert not conditions.has_validator(response("Last-Modified: yesterday"))
