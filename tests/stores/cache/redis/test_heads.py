from dataclasses import replace

import pytest

from sluicegate.core.http import ResponseHead
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis import heads
from support.cache_entries import entry


def test_a_head_comes_back_to_the_byte():
    given = replace(entry(), response=ResponseHead(200, b"\xff", [(b"B", b"\x80"), (b"b", b""), (b"B", b"\x80")]))

    assert heads.load(heads.dump(given), entry_id="1", body_length=7) == replace(given, id="1", body_length=7)


@pytest.mark.parametrize("data", [b"", b"short", b"0123456789abcdef", b"0123456789abcdefgarbage\r\n"])
def test_what_is_no_head_is_refused(data):
    with pytest.raises(CacheStoreError):
        heads.load(data, entry_id="1", body_length=0)
