"""The entries themselves in Redis: each change is one step, and is published with it."""

from collections.abc import Iterable
from dataclasses import dataclass

from redis.asyncio.client import Pipeline

from sluicegate.core.caching.decisions import Span
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.redis import scripts
from sluicegate.stores.cache.redis.commands import Argument
from sluicegate.stores.cache.redis.keys import (
    CHANNEL,
    INLINE,
    INVALIDATED,
    PIECE,
    USES,
    EntryId,
    body_field,
    heads_key,
    is_entry,
    note_field,
)
from sluicegate.stores.cache.redis.link import Link
from sluicegate.stores.cache.redis.notes import Note

_PAGE = 256
_SCORES_PER_S = 1_000_000
_UNFINISHED_S = 3600
"""How long a piece lives that is part of nothing yet."""
_LIFE_S = 30 * 24 * 3600
"""How long an entry lives after it was used last; the freshness of a response is the policy's business, not ours."""
_GRACE_S = 60
"""How long the pieces of a body live that was removed, after each that is read: whoever is reading it reads on."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry as Redis has it; `used` in Unix seconds. What an older version has stored has no note."""

    id: EntryId
    head: bytes
    note: Note | None
    used: float


class Vault:
    """Reads and writes entries; every method raises CacheStoreError. `replica` names this process in messages."""

    def __init__(self, link: Link, replica: str) -> None:
        self._link = link
        self._replica = replica

    async def heads(self, tag: str) -> dict[bytes, bytes]:
        """Everything under a cache key: heads by id, and small bodies by `body_field`."""
        found: dict[bytes, bytes] = await self._link.one("HGETALL", heads_key(tag))
        return found

    async def page(self, cursor: int) -> tuple[int, list[Kept]]:
        """Some of all entries, and where the next page goes on: 0 after the last."""
        cursor, noted = await self._link.one("ZSCAN", USES, cursor, "COUNT", _PAGE)
        return cursor, await self._kept({name.decode("latin-1"): score for name, score in noted})

    async def under(self, tag: str) -> list[Kept]:
        """All entries under a cache key."""
        ids = [name.decode("latin-1") for name in await self.heads(tag) if is_entry(name)]
        if not ids:
            return []

        def fill(pipeline: Pipeline) -> None:
            for entry_id in ids:
                pipeline.zscore(USES, entry_id)

        scores = await self._link.run(fill)
        return await self._kept({entry_id: score or 0.0 for entry_id, score in zip(ids, scores, strict=True)})

    async def _kept(self, scores: dict[str, float]) -> list[Kept]:
        """The entries of these ids that are there."""
        ids = [parsed for text in scores if (parsed := EntryId.parse(text)) is not None]
        if not ids:
            return []

        def fill(pipeline: Pipeline) -> None:
            for entry_id in ids:
                pipeline.hmget(entry_id.heads, [str(entry_id), note_field(str(entry_id))])

        found = await self._link.run(fill)
        return [
            Kept(entry_id, head, None if note is None else Note.load(note), scores[str(entry_id)] / _SCORES_PER_S)
            for entry_id, (head, note) in zip(ids, found, strict=True)
            if head is not None
        ]

    async def write_piece(self, entry_id: EntryId, number: int, piece: bytes) -> None:
        """Write a piece of a body that is not complete yet."""
        await self._link.one("SET", entry_id.piece(number), piece, "EX", _UNFINISHED_S)

    async def commit(self, entry_id: EntryId, head: bytes, rest: bytes, note: Note) -> bool:
        """Write the rest of the body and make the entry visible; False when something of it is gone already."""
        pieces = entry_id.pieces
        commit = self._change(scripts.COMMIT, entry_id, head, b"" if pieces else rest, _LIFE_S, note.dump())
        if not (pieces and rest):
            return bool(await self._link.one(*commit))

        def fill(pipeline: Pipeline) -> None:
            pipeline.set(pieces[-1], rest, ex=_UNFINISHED_S)
            pipeline.execute_command(*commit)

        return bool((await self._link.run(fill))[-1])

    async def announce(self, tag: str) -> None:
        """Publish that what is under way under a cache key is too old to be kept."""
        await self._link.one("PUBLISH", CHANNEL, f"{self._replica}:{INVALIDATED}{tag}")

    async def freshen(self, entry_id: EntryId, head: bytes) -> None:
        """Replace the head of an entry that is there."""
        await self._link.one(*self._change(scripts.FRESHEN, entry_id, head))

    async def remove(self, entry_ids: Iterable[EntryId]) -> None:
        """Remove entries, complete or not."""

        def fill(pipeline: Pipeline) -> None:
            for entry_id in entry_ids:
                pipeline.execute_command(*self._change(scripts.REMOVE, entry_id, _GRACE_S))

        await self._link.run(fill)

    async def renew(self, entry_ids: Iterable[EntryId]) -> None:
        """Let entries live on: they were used."""

        def fill(pipeline: Pipeline) -> None:
            for entry_id in entry_ids:
                for key in (entry_id.heads, *entry_id.pieces):
                    pipeline.expire(key, _LIFE_S, gt=True)

        await self._link.run(fill)

    async def begin_body(self, entry_id: EntryId, span: Span) -> bytes:
        """The first bytes of a span of a body of which everything is there; all of it if it is small."""
        if entry_id.length <= INLINE:
            body = await self._link.one("HGET", entry_id.heads, body_field(str(entry_id)))
            if body is None or len(body) != entry_id.length:
                raise CacheStoreError("the stored response is gone")
            return bytes(body[span.start : span.end])
        pieces = entry_id.pieces[span.start // PIECE : -(-span.end // PIECE)]
        first = _part(span.start, span.end)

        def fill(pipeline: Pipeline) -> None:
            pipeline.hexists(entry_id.heads, str(entry_id))
            pipeline.exists(*pieces)
            pipeline.getrange(pieces[0], first.start, first.end - 1)

        there, count, data = await self._link.run(fill)
        if not there or count != len(pieces):
            raise CacheStoreError("the stored response is gone")
        return _whole(data, first)

    async def read(self, entry_id: EntryId, start: int, end: int) -> bytes:
        """The bytes of a body from `start` to `end` or the end of their piece, whichever is first.

        The rest up to `end` lives on for long enough to be read next.
        """
        part = _part(start, end)
        first, *others = entry_id.pieces[start // PIECE : -(-end // PIECE)]
        read = ("GETRANGE", first, part.start, part.end - 1)
        if not others:
            return _whole(await self._link.one(*read), part)

        def fill(pipeline: Pipeline) -> None:
            pipeline.execute_command(*read)
            pipeline.evalsha(scripts.EXTEND.sha, len(others), *others, _GRACE_S)

        return _whole((await self._link.run(fill))[0], part)

    def _change(self, script: scripts.Script, entry_id: EntryId, *arguments: Argument) -> list[Argument]:
        """The command that changes an entry and publishes that."""
        keys = (entry_id.heads, *entry_id.pieces)
        message = self._message(entry_id)
        return ["EVALSHA", script.sha, len(keys), *keys, str(entry_id), *arguments, CHANNEL, message]

    def _message(self, entry_id: EntryId) -> str:
        return f"{self._replica}:{entry_id.tag}"


def _part(start: int, end: int) -> Span:
    """Where in its piece the bytes from `start` to `end` are, as far as they are in one."""
    offset = start % PIECE
    return Span(offset, min(offset + end - start, PIECE))


def _whole(data: bytes, part: Span) -> bytes:
    if len(data) != part.end - part.start:
        raise CacheStoreError("a piece of the stored response is gone")
    return data
