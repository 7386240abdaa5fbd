from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import Origin, RequestHead, ResponseHead
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.codec import dump_head, load_entry
from support.cache_entries import entry

TEXT = st.text(st.characters(exclude_characters="\r\n"))
BYTES = st.binary().filter(lambda value: b"\r" not in value and b"\n" not in value)
FIELDS = st.lists(st.tuples(BYTES, BYTES))


REQUESTS = st.builds(
    RequestHead, st.just("GET"), st.builds(Origin, st.just("http"), TEXT, st.integers(0, 65535)), TEXT, FIELDS
)
RESPONSES = st.builds(ResponseHead, st.integers(100, 999), BYTES, FIELDS)


@given(REQUESTS, RESPONSES)
def test_what_goes_in_comes_out(request_head, response_head):
    given = StoredEntry("7", request_head, response_head, 1.25, 2.5, 10)

    assert load_entry(dump_head(given), entry_id="7", request_time=1.25, response_time=2.5, body_length=10) == given


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\r"])
@pytest.mark.parametrize("where", ["name", "value", "reason", "target", "selecting"])
def test_a_line_end_inside_is_refused(end, where):
    bad = b"a" + end + b"b"
    given = entry()
    match where:
        case "name":
            given.response.fields.append((bad, b"x"))
        case "value":
            given.response.fields.append((b"x", bad))
        case "reason":
            given.response.reason = bad
        case "target":
            given.request.target = bad.decode()
        case "selecting":
            given.request.fields.append((b"x", bad))

    with pytest.raises(CacheStoreError, match="line end"):
        dump_head(given)


@pytest.mark.parametrize(
    "damage",
    [
        lambda head: b"",
        lambda head: b"2" + head[1:],
        lambda head: head + b"\r\nx",
        lambda head: head.replace(b"200", b"abc"),
        lambda head: head[:10],
    ],
)
def test_what_is_no_head_is_told_as_such(damage):
    head = dump_head(replace(entry()))

    with pytest.raises(CacheStoreError):
        load_entry(damage(head), entry_id="7", request_time=0, response_time=0, body_length=0)
