import pytest

from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache_disk_body import PendingStream, SavingBody, StoredBody, pieces
from support.messages import Body, read_all


async def stream(*some, error=None):
    for piece in some:
        yield piece
    if error is not None:
        raise error


async def test_a_stored_body_gives_its_first_piece_only_once():
    body = StoredBody(stream(b"a", b"b"), 2)
    await body.open()

    assert await read_all(body) == b"ab"
    assert await body.read() == b""


async def test_a_stored_body_that_is_too_short_raises_instead_of_ending():
    body = StoredBody(stream(b"a"), 2)

    with pytest.raises(CacheStoreError, match="1 of 2 bytes"):
        await read_all(body)


async def test_a_stored_body_that_breaks_raises_what_the_port_promises():
    body = StoredBody(stream(b"a", error=RuntimeError("deleted while it was being read")), 2)

    with pytest.raises(CacheStoreError, match="deleted"):
        await read_all(body)


async def test_closing_a_stored_body_closes_what_it_reads_from():
    closed = []

    async def held():
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    body = StoredBody(held(), 2)
    await body.read()
    await body.aclose()

    assert closed == [True]


def test_a_pending_stream_is_taken_by_the_first_who_comes():
    pending = PendingStream(given := stream())

    assert pending.take() is given
    assert pending.take() is None


async def test_a_saving_body_may_be_closed_while_another_task_reads_it():
    class Busy(Body):
        async def read(self) -> bytes:
            await saving.aclose()
            return b"x"

    body = Busy()
    saving = SavingBody(body, pieces(body))

    assert await saving.read() == b"x"
    assert body.closed
