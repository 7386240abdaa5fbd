import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.errors import CacheStoreError, ResponseCutShort
from sluicegate.exchange.fill import Abandoned, Fill
from sluicegate.tasks import spawn
from support.messages import Body, read_all, request, response

ENTRY = StoredEntry("", request(), response(), 0, 0)


async def turns(count):
    """Let others run that many times."""
    for _ in range(count):
        await asyncio.sleep(0)


class Origin:
    """A body that comes when it is told to; what was not read when its reader was cancelled is still there."""

    def __init__(self, *pieces, length=None, error=None, turns=0):
        self.length = length
        self.trailers = []
        self.closed = False
        self.ended = False
        self.reads = 0
        self._pieces = list(pieces)
        self._error = error
        self._turns = turns

    async def read(self):
        assert not self.reads, "one reader at a time"
        self.reads += 1
        try:
            await turns(self._turns)
        finally:
            self.reads -= 1
        if not self._pieces and self._error is not None:
            raise self._error
        self.ended = not self._pieces
        return self._pieces.pop(0) if self._pieces else b""

    async def aclose(self):
        self.closed = True


class Writer:
    """A writer in memory that may take its time (before or after it keeps a piece) or give up at a size."""

    def __init__(self, *, most=None, turns=0, keeps_first=False):
        self.data = b""
        self.writing = False
        self.committing = False
        self.committed = False
        self.closed = False
        self._most = most
        self._turns = turns
        self._keeps_first = keeps_first

    async def write(self, piece):
        assert not self.writing, "one at a time, and to its end"
        self.writing = True
        kept = await self._write(piece)
        self.writing = False
        return kept

    async def _write(self, piece):
        if self._most is not None and len(self.data) + len(piece) > self._most:
            return False
        if not self._keeps_first:
            await turns(self._turns)
        self.data += piece
        if self._keeps_first:
            await turns(self._turns)
        return True

    async def read(self, start):
        if self.closed:
            raise CacheStoreError("over")
        return self.data[start : start + 5]

    async def commit(self):
        assert not self.committing
        self.committing = True
        await turns(self._turns)
        assert not self.closed
        self.committed = True
        return ENTRY

    async def aclose(self):
        self.closed = True


def fill_of(body, writer, *, limit=0):
    return Fill(body, writer, ENTRY, Abandoned(limit))


async def test_one_reader_gets_what_comes_and_the_store_too():
    body, writer = Body(b"one", b"two"), Writer()
    reader = fill_of(body, writer).open()

    assert await read_all(reader) == b"onetwo"
    assert await reader.read() == b""
    await reader.aclose()
    await reader.aclose()

    assert (writer.data, writer.committed, writer.closed, body.closed) == (b"onetwo", True, True, True)


async def test_the_entry_is_committed_before_anybody_has_the_last_byte():
    body, writer = Origin(b"one", b"two", length=6), Writer()
    fill = fill_of(body, writer)
    reader = fill.open()

    assert (await reader.read(), writer.committed) == (b"one", False)
    assert (await reader.read(), writer.committed) == (b"two", True)
    assert body.ended, "what the origin holds is released by then"
    assert fill.join() is None


async def test_one_that_joins_late_gets_it_from_the_first_byte_and_one_that_is_slow_loses_nothing():
    fill = fill_of(Body(b"one", b"two", b"three"), Writer())
    first = fill.open()
    assert await first.read() == b"one"
    second = fill.join()
    assert await read_all(first) == b"twothree"
    await first.aclose()

    assert await read_all(second) == b"onetwothree"
    await second.aclose()


async def test_the_one_ahead_pulls_and_a_slow_one_does_not_hold_it_up():
    body = Origin(b"one", b"two")
    fill = fill_of(body, Writer())
    slow, fast = fill.open(), fill.open()
    assert await read_all(fast) == b"onetwo"
    await fast.aclose()
    assert await slow.read() == b"onetw"
    await slow.aclose()
    assert body.closed


async def test_nobody_takes_a_part_for_the_whole_when_the_origin_breaks_off():
    cut = ResponseCutShort("cut")
    writer = Writer()
    fill = fill_of(Body(b"one", error=cut), writer)
    first, behind = fill.open(), fill.open()
    assert await first.read() == b"one"

    for reader in (first, behind, first):
        with pytest.raises(ResponseCutShort):
            await reader.read()
    assert fill.join() is None
    await first.aclose()
    await behind.aclose()
    assert (writer.committed, writer.closed) == (False, True)


async def test_when_the_store_gives_up_the_one_ahead_goes_on_and_the_others_are_told():
    ended = []
    writer = Writer(most=5)
    fill = fill_of(Body(b"one", b"two", b"three"), writer)
    fill.on_end = ended.append
    ahead, behind = fill.open(), fill.open()

    assert await read_all(ahead) == b"onetwothree"
    with pytest.raises(CacheStoreError):
        await behind.read()
    await ahead.aclose()
    await behind.aclose()
    assert (ended, writer.committed) == ([True], False)


async def test_what_the_store_has_given_up_is_not_finished_for_it():
    body, writer = Origin(b"one", b"two", length=6), Writer(most=0)
    reader = fill_of(body, writer, limit=100).open()
    await reader.read()
    await reader.aclose()

    assert (body.closed, body.ended) == (True, False)


async def test_a_single_reader_does_not_notice_that_the_store_gives_up():
    writer = Writer(most=0)
    fill = fill_of(Body(b"one", b"two"), writer, limit=100)
    reader = fill.open()

    assert await read_all(reader) == b"onetwo"
    await reader.aclose()
    assert not writer.committed


@pytest.mark.parametrize("keeps_first", [False, True])
async def test_one_that_is_cancelled_while_it_pulls_loses_nothing_for_the_others(keeps_first):
    writer = Writer(turns=3, keeps_first=keeps_first)
    fill = fill_of(Origin(b"one", b"two", length=6, turns=2), writer)
    leaving, staying = fill.open(), fill.open()
    for moment in range(1, 6):
        task = spawn(leaving.read(), name="leaving")
        await turns(moment)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await leaving.aclose()

    assert await read_all(staying) == b"onetwo"
    assert (writer.data, writer.committed) == (b"onetwo", True)


async def test_a_commit_goes_on_when_its_client_leaves_and_nobody_is_ahead_of_it():
    class Lingering(Writer):
        async def commit(self):
            await turns(9)
            return await super().commit()

    writer = Lingering()
    fill = fill_of(Body(b"one", length=3), writer)
    leaving, staying = fill.open(), fill.open()
    task = spawn(leaving.read(), name="leaving")
    await turns(2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await leaving.aclose()

    assert (await staying.read(), writer.committed) == (b"one", True)
    await staying.aclose()


async def test_one_that_reads_from_the_store_gets_no_last_byte_before_the_commit_either():
    writer = Writer(turns=4)
    fill = fill_of(Body(b"one", b"two", length=6), writer)
    ahead, behind = fill.open(), fill.open()
    await ahead.read()
    task = spawn(ahead.read(), name="ahead")
    while not writer.committing:
        await asyncio.sleep(0)

    assert (await behind.read(), writer.committed) == (b"one", False)
    assert (await behind.read(), writer.committed) == (b"two", True)
    assert await task == b"two"
    await ahead.aclose()
    await behind.aclose()


async def test_a_fill_is_closed_only_when_what_came_has_been_kept():
    writer = Writer(turns=9)
    reader = fill_of(Body(b"one"), writer).open()
    task = spawn(reader.read(), name="leaving")
    await turns(2)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await reader.aclose()

    assert (writer.data, writer.closed, writer.committed) == (b"one", True, False)


async def test_what_the_last_reader_leaves_is_finished_if_it_is_little():
    writer = Writer()
    abandoned = Abandoned(3)
    fill = Fill(Origin(b"one", b"two", length=6, turns=1), writer, ENTRY, abandoned)
    reader = fill.open()
    await reader.read()
    await reader.aclose()
    assert (abandoned.count, writer.closed) == (1, False)
    joined = fill.join()
    assert await read_all(joined) == b"onetwo"
    await joined.aclose()
    while abandoned.count:
        await asyncio.sleep(0)

    assert (writer.committed, writer.closed) == (True, True)


@pytest.mark.parametrize(("length", "limit"), [(6, 2), (6, 0), (None, 100)])
async def test_what_is_more_or_of_unknown_length_is_given_up(length, limit):
    writer, body = Writer(), Body(b"one", b"two", length=length)
    fill = fill_of(body, writer, limit=limit)
    reader = fill.open()
    await reader.read()
    await reader.aclose()

    assert (body.closed, writer.closed, writer.committed) == (True, True, False)
    assert fill.join() is None


async def test_a_failure_that_nobody_sees_ends_the_finishing_quietly(caplog):
    writer, body = Writer(), Body(b"one", error=ResponseCutShort("cut"), length=6)
    abandoned = Abandoned(100)
    reader = Fill(body, writer, ENTRY, abandoned).open()
    await reader.aclose()
    while abandoned.count:
        await asyncio.sleep(0)

    assert (body.closed, writer.closed, writer.committed, caplog.text) == (True, True, False, "")


async def test_at_the_end_of_the_proxy_nothing_is_finished_for_nobody():
    writer, body = Writer(), Origin(b"one", length=3, turns=10**6)
    abandoned = Abandoned(100)
    reader = Fill(body, writer, ENTRY, abandoned).open()
    await reader.aclose()
    await abandoned.aclose()
    late = Fill(Body(b"one", length=3), Writer(), ENTRY, abandoned).open()
    await late.aclose()

    assert (body.closed, writer.closed, writer.committed, abandoned.count) == (True, True, False, 0)


async def test_what_is_outdated_is_read_to_the_end_and_not_kept():
    writer = Writer()
    fill = fill_of(Body(b"one", length=3), writer)
    reader = fill.open()
    fill.outdated = True

    assert await read_all(reader) == b"one"
    assert not writer.committed


async def test_what_is_outdated_is_not_finished_for_nobody():
    body = Origin(b"one", length=3)
    fill = fill_of(body, Writer(), limit=100)
    reader = fill.open()
    fill.outdated = True
    await reader.aclose()

    assert (body.closed, body.ended) == (True, False)


PIECES = [b"abc", b"d", b"efghijkl", b"mn", b"opqrstuvwxyz"]
WHOLE = b"".join(PIECES)


@st.composite
def readers(draw):
    """When it joins, how long it dawdles after each piece, and after how many turns it is cancelled, if ever."""
    joins = draw(st.integers(0, 10))
    dawdles = draw(st.lists(st.integers(0, 4), min_size=1, max_size=4))
    leaves = draw(st.one_of(st.none(), st.integers(0, 40)))
    return joins, dawdles, leaves


@settings(max_examples=300, deadline=None)
@given(
    plans=st.lists(readers(), min_size=1, max_size=6),
    origin_turns=st.integers(0, 3),
    writer_turns=st.integers(0, 3),
    keeps_first=st.booleans(),
    known=st.booleans(),
    limit=st.sampled_from([0, 5, 100]),
)
async def test_whoever_stays_gets_every_byte_whoever_else_comes_and_goes(
    *, plans, origin_turns, writer_turns, keeps_first, known, limit
):
    writer = Writer(turns=writer_turns, keeps_first=keeps_first)
    body = Origin(*PIECES, length=len(WHOLE) if known else None, turns=origin_turns)
    abandoned = Abandoned(limit)
    fill = Fill(body, writer, ENTRY, abandoned)
    got = {}

    async def reading(number, reader, dawdles):
        got[number] = b""
        try:
            while data := await reader.read():
                got[number] += data
                await turns(dawdles[len(got[number]) % len(dawdles)])
        finally:
            await reader.aclose()

    async def visit(number, joins, dawdles, leaves):
        reader = fill.open() if number == 0 else None
        await turns(joins)
        reader = reader or fill.join()
        if reader is None:
            return False
        task = spawn(reading(number, reader, dawdles), name="reader")
        if leaves is not None:
            await turns(leaves + 1)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
            return True
        return False

    visits = [spawn(visit(number, *plan), name="visit") for number, plan in enumerate(plans)]
    stayed = await asyncio.gather(*visits)
    while abandoned.count:
        await asyncio.sleep(0)

    for number, data in got.items():
        assert WHOLE.startswith(data)
        assert data == WHOLE or not stayed[number]
    if any(stayed):
        assert (writer.data, writer.committed) == (WHOLE, True)
    assert WHOLE.startswith(writer.data)
    assert not writer.committed or writer.data == WHOLE
    assert (body.closed, writer.closed) == (True, True)
