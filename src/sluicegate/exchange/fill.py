"""A response on its way from the origin into the store, read by everyone who asked for it meanwhile."""

import asyncio
from collections.abc import Callable

from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.http import FieldList
from sluicegate.core.ports import BodyReader, EntryWriter
from sluicegate.errors import CacheStoreError, SluicegateError
from sluicegate.tasks import spawn, undisturbed

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
        "_error",
        "_readers",
        "_waiting",
        "_writer",
        "complete",
        "entry",
        "length",
        "on_end",
        "outdated",
        "pulling",
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
        self.pulling = False
        """Somebody waits for the origin already, or for the store to take what came."""
        self.on_end: Callable[[bool], None] | None = None
        """Told once that nobody can join any more; with True when that is because the store has given up."""
        self._body = body
        self._writer: EntryWriter | None = writer
        self._abandoned = abandoned
        self._error: Exception | None = None
        self._readers = 0
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
                if self.pulling:
                    await self.change()
                else:
                    await self.pull()
        except SluicegateError:
            return
        finally:
            self._readers -= 1
            if self._readers == 0:
                await self.close()

    async def change(self) -> None:
        """Wait until whoever pulls has done so."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    async def pull(self) -> bytes:
        """The next piece, kept for the others too; b"" at the end. One caller at a time. Raises what ends the fill.

        A caller that is cancelled loses nothing for the others: what has come is kept all the same.
        """
        self.check()
        self.pulling = True
        try:
            piece = await self._body.read()
        except Exception as error:
            self._pulled(error)
            raise
        except BaseException:
            self._pulled()
            raise
        await undisturbed(self._take(piece))
        self.check()
        return piece

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
            while self.pulling:  # somebody has left while what came is being kept
                await self.change()
            await self._body.aclose()
        finally:
            if self._writer is not None:
                await self._writer.aclose()

    async def _take(self, piece: bytes) -> None:
        """Keep a piece, and let readers have it; the last one only when the entry is committed."""
        try:
            if piece and self._writer is not None and not await self._writer.write(piece):
                await self._give_up(self._writer)
            end = not piece or self.size + len(piece) == self.length
            if end:
                await self._finish(read_on=piece != b"")
            self.size += len(piece)
            self.complete = end
        except Exception as error:
            self._pulled(error)
        except BaseException:
            self._pulled()
            raise
        else:
            self._pulled()

    async def _give_up(self, writer: EntryWriter) -> None:
        """The storing is over; who has not read what was written never will."""
        self._writer = None
        self._ended(given_up=True)
        await writer.aclose()

    async def _finish(self, *, read_on: bool) -> None:
        """Everything has come: let the origin go, and make the entry visible."""
        if read_on:
            await self._body.read()
        if self._writer is not None and not self.outdated:
            await self._writer.commit()

    def _pulled(self, error: Exception | None = None) -> None:
        """The next one may pull, unless this was the end."""
        self.pulling = False
        if error is not None:
            self._error = error
        if self.complete or self._error is not None:
            self._ended()
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def _ended(self, *, given_up: bool = False) -> None:
        on_end, self.on_end = self.on_end, None
        if on_end is not None:
            on_end(given_up)


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
