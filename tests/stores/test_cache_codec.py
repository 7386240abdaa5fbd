from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import Origin, RequestHead, ResponseHead
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache_codec import dump_entry, load_entry
from support.cache_entries import entry

_fields = st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9)), max_size=4)
_times = st.floats(min_value=0, max_value=1e10)
_entries = st.builds(
    StoredEntry,
    st.just("1"),
    st.builds(RequestHead, st.text(max_size=5), st.just(Origin("https", "::1", 8443)), st.text(max_size=9), _fields),
    st.builds(ResponseHead, st.integers(100, 999), st.binary(max_size=9), _fields),
    _times,
    _times,
    st.integers(0, 2**40),
)


@given(_entries)
def test_what_goes_in_comes_out(given_entry):
    loaded = load_entry(dump_entry(given_entry), entry_id="1", body_length=given_entry.body_length)

    assert loaded == given_entry


@pytest.mark.parametrize(
    "text", ["", "nonsense", "null", "[]", "{}", '{"version": 1}', '{"version": 1, "origin": "x"}']
)
def test_what_is_no_entry_is_refused(text):
    with pytest.raises(CacheStoreError):
        load_entry(text, entry_id="1", body_length=None)


def test_another_version_is_refused():
    text = dump_entry(replace(entry(), id="1")).replace('"version":1', '"version":2')

    with pytest.raises(CacheStoreError, match="version 2"):
        load_entry(text, entry_id="1", body_length=None)
