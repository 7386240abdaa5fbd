"""A response on its way from the origin into the store, read by everyone who asked for it meanwhile."""

import asyncio
from collections.abc import Callable

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader, EntryWriter
from sluicegate.errors import CacheStoreError, SluicegateError
from sluicegate.tasks import spawn

FINISH_WHEN_ABANDONED = 8 * 1024 * 1024


class Abandoned:
    """What becomes of fills whose last reader leaves: those with little to go are read to their end for the store."""

    def __init__(self, limit: int = FINISH_WHEN_ABANDONED) -> None:
        self.limit = limit
        """Bytes that may be left to read; 0: none is finished."""
        self._tasks: dict[asyncio.Task[None], Fill] = {}
        self._closed = False

    def take(self, fill: "Fill") -> bool:
        """Read `fill` to its end in the background, if it is worth it."""
        left = fill.left
        if self._closed or left is None or left > self.limit:
            return False
        task = spawn(fill.finish(), name="abandoned response")
        self._tasks[task] = fill
        task.add_done_callback(self._tasks.pop)
        return True

    @property
    def count(self) -> int:
        """How many are being finished."""
        return len(self._tasks)

    async def aclose(self) -> None:
        """Give up those under way: nobody waits for them. Idempotent."""
        self._closed = True
        under_way = dict(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for fill in under_way.values():
            await fill.close()  # a task that is cancelled before its first step closes nothing


class Fill:
    """One body, from the origin into `writer`, and to any number of readers at any pace.

    Whoever has read everything that came pulls the next piece, one reader at a time: the fastest sets the pace, and the
    others take what they lack from the writer. The entry is committed before anybody gets the last byte. It is dropped
    when the origin fails, or the last reader leaves and too much is left.
    """

    __slots__ = (
        "_abandoned",
        "_body",
        "_committed",
        "_error",
        "_pulling",
        "_readers",
        "_taken",
        "_waiting",
        "_writer",
        "complete",
        "entry",
        "length",
        "on_end",
        "outdated",
        "size",
    )

    def __init__(self, body: BodyReader, writer: EntryWriter, entry: StoredEntry, abandoned: Abandoned) -> None:
        self.entry = entry
        self.length = body.length
        self.size = 0
        """Bytes that readers can have."""
        self.complete = False
        self.outdated = False
        """The resource was changed meanwhile: whoever reads may read on, but it is not kept."""
        self.on_end: Callable[[bool], None] | None = None
        """Told once that nobody can join any more; with True when that is because the store has given up."""
        self._body = body
        self._writer: EntryWriter | None = writer
        self._abandoned = abandoned
        self._error: Exception | None = None
        self._readers = 0
        self._pulling = False
        self._taken = b""
        self._committed = False
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def trailers(self) -> FieldList:
        """Known once it is complete."""
        return self._body.trailers

    @property
    def left(self) -> int | None:
        """Bytes that the origin still has to send for the store; None when that is unknown, or nothing is stored."""
        if self.complete or self._error is not None or self._writer is None or self.outdated or self.length is None:
            return None
        return self.length - self.size

    def open(self) -> "FillReader":
        """The first reader."""
        self._readers += 1
        return FillReader(self)

    def join(self) -> "FillReader | None":
        """Another reader of the whole body; None when it is too late for that."""
        return None if self.complete or self._error is not None or self._writer is None else self.open()

    async def leave(self) -> None:
        """A reader has left; the last one hands the rest over, or closes everything."""
        self._readers -= 1
        if self._readers == 0:
            if self._abandoned.take(self):
                self._readers = 1
            else:
                await self.close()

    async def finish(self) -> None:
        """Read to the end for the store alone. What fails here has no one to be told."""
        try:
            while not (self.complete or self._error is not None):
                if self._pulling:
                    await self.change()
                else:
                    await self.pull()
        except SluicegateError:
            return
        finally:
            self._readers -= 1
            if self._readers == 0:
                await self.close()

    @property
    def pulling(self) -> bool:
        """Somebody waits for the origin already."""
        return self._pulling

    async def change(self) -> None:
        """Wait until whoever pulls has done so."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def pull(self) -> bytes:
        """The next piece, kept for the others too; b"" at the end. One caller at a time.

        A caller that is cancelled loses nothing: the next one goes on where it was. Raises what ends the fill.
        """
        self.check()
        self._pulling = True
        try:
            return await self._next()
        except Exception as error:
            self._error = error
            self._ended()
            raise
        finally:
            self._pulling = False
            if self._waiting:
                self._wake()

    async def kept(self, start: int) -> bytes:
        """Bytes from `start`, of which there are some. Raises CacheStoreError, and what ended the fill."""
        self.check()
        if self._writer is None:
            raise CacheStoreError("the response is too large to be shared, or the store failed")
        data = await self._writer.read(start)
        if not data:
            raise CacheStoreError("the store lost a part of the response")
        return data[: self.size - start]

    def check(self) -> None:
        """Raise what ended the fill, if something did."""
        if self._error is not None:
            raise self._error.with_traceback(None)

    async def close(self) -> None:
        """Let go of the origin and the store; who still reads has an error, unless it is complete. Idempotent."""
        if not self.complete and self._error is None:
            self._error = CacheStoreError("the response was given up")
        self._ended()
        try:
            await self._body.aclose()
        finally:
            if self._writer is not None:
                await self._writer.aclose()

    async def _next(self) -> bytes:
        again = self._taken != b""
        if not again:
            self._taken = await self._body.read()
        piece = self._taken
        if piece and self._writer is not None:
            await self._keep(self._writer, piece, again=again)
        end = not piece or self.size + len(piece) == self.length
        if end:
            if piece:
                await self._body.read()
            await self._commit()
        self._taken = b""
        self.size += len(piece)
        if end:
            self.complete = True
            self._ended()
        return piece

    async def _keep(self, writer: EntryWriter, piece: bytes, *, again: bool) -> None:
        """Store a piece, unless one who was cancelled meanwhile has (`again`)."""
        if again and await self._has(writer):
            return
        if not await writer.write(piece):
            self._writer = None
            self._ended(given_up=True)
            await writer.aclose()

    async def _has(self, writer: EntryWriter) -> bool:
        """Whether the piece that comes next is written already."""
        try:
            return await writer.read(self.size) != b""
        except CacheStoreError:
            return False

    async def _commit(self) -> None:
        """Once only: what was interrupted in the middle of it is not tried again."""
        if self._writer is not None and not self._committed and not self.outdated:
            self._committed = True
            await self._writer.commit()

    def _ended(self, *, given_up: bool = False) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(given_up)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


class FillReader:
    """`ports.BodyReader` of a fill, from its first byte."""

    __slots__ = ("_at", "_fill", "entry", "length")

    def __init__(self, fill: Fill) -> None:
        self.length = fill.length
        self.entry = fill.entry
        self._fill: Fill | None = fill
        self._at = 0

    @property
    def trailers(self) -> FieldList:
        return self._fill.trailers if self._fill is not None else []

    async def read(self) -> bytes:
        fill = self._fill
        while fill is not None:
            if self._at < fill.size:
                data = await fill.kept(self._at)
            elif fill.complete:
                return b""
            elif fill.pulling:
                await fill.change()
                continue
            else:
                data = await fill.pull()
            self._at += len(data)
            return data
        return b""

    async def aclose(self) -> None:
        fill, self._fill = self._fill, None
        if fill is not None:
            await fill.leave()
