import pytest

from sluicegate.errors import ResponseCutShort
from sluicegate.stores.cache.tee import TeeReader
from support.messages import Body, read_all


class Sink:
    """Takes note of what it is told; refuses pieces after `room` of them."""

    def __init__(self, room: int = 99) -> None:
        self.told: list[object] = []
        self._room = room

    async def write(self, piece: bytes) -> bool:
        self._room -= 1
        self.told.append(piece)
        return self._room >= 0

    async def commit(self) -> None:
        self.told.append("commit")

    async def read(self, start: int) -> bytes:
        raise NotImplementedError

    async def aclose(self) -> None:
        self.told.append("aclose")


async def test_the_end_of_the_body_commits_once():
    sink = Sink()
    tee = TeeReader(Body(b"a", b"b"), sink)

    await read_all(tee)
    await tee.read()
    await tee.aclose()

    assert sink.told == [b"a", b"b", "commit", "aclose"]


async def test_closing_before_the_end_aborts_and_closes_the_body():
    sink, body = Sink(), Body(b"a", b"b")
    tee = TeeReader(body, sink)

    await tee.read()
    await tee.aclose()

    assert sink.told == [b"a", "aclose"]
    assert body.closed


async def test_a_body_that_breaks_aborts():
    sink = Sink()
    tee = TeeReader(Body(b"a", error=ResponseCutShort("cut")), sink)

    with pytest.raises(ResponseCutShort):
        await read_all(tee)

    assert sink.told == [b"a", "aclose"]


async def test_a_sink_that_is_full_is_told_no_more():
    sink = Sink(room=1)
    tee = TeeReader(Body(b"a", b"b", b"c"), sink)

    assert await read_all(tee) == b"abc"
    assert sink.told == [b"a", b"b", "aclose"]
