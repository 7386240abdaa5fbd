"""The cache in Redis, for replicas that share one: what one stores, the others find, and what one removes is gone.

A Redis that is away, slow or full makes misses, never errors. Memory in front of it answers what is hot, and falls
silent while it cannot be sure to hear of changes.
"""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress

from sluicegate.clock import Clock
from sluicegate.core.caching.decisions import Span
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.listing import Listed
from sluicegate.core.ports import BodyReader, EntryWriter, EventSink
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.marks import Marks
from sluicegate.stores.cache.pieces import Pieces, PiecesBody
from sluicegate.stores.cache.redis import heads
from sluicegate.stores.cache.redis.body import RedisBody
from sluicegate.stores.cache.redis.budget import Budget
from sluicegate.stores.cache.redis.commands import DEFAULT_TIMEOUT_S, Commands
from sluicegate.stores.cache.redis.front import Front, Held
from sluicegate.stores.cache.redis.keys import INVALIDATED, EntryId, body_field, is_entry, tag_of
from sluicegate.stores.cache.redis.link import Link
from sluicegate.stores.cache.redis.vault import Kept, Vault
from sluicegate.stores.cache.redis.writer import RedisWriter
from sluicegate.tasks import spawn

DEFAULT_MAX_SIZE = 10 * 1024**3
DEFAULT_MAX_BODY = 8 * 1024 * 1024
DEFAULT_FRONT_SIZE = 64 * 1024 * 1024
DEFAULT_FRONT_BODY = 256 * 1024
_RENEW_EVERY_S = 24 * 3600.0
_DEAF = -1
"""The moment of what is asked for while invalidations by others cannot be heard: it is not kept."""


class RedisCacheStore:
    """`ports.CacheStore` in Redis 7 or later; `url` is redis://, rediss:// or unix://.

    `max_size` bounds what all entries take, `max_body` one body, `front_size` what is kept in memory, `front_body` one
    body there (bytes). A Redis that does not answer a command within `timeout_s` counts as away. Raises CacheStoreError
    for a URL that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        events: EventSink,
        clock: Clock,
        max_size: int = DEFAULT_MAX_SIZE,
        max_body: int = DEFAULT_MAX_BODY,
        front_size: int = DEFAULT_FRONT_SIZE,
        front_body: int = DEFAULT_FRONT_BODY,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> None:
        self._clock = clock
        self._max_body = max_body
        self._replica = uuid.uuid4().hex
        self._front = Front(max_size=front_size, max_body=front_body)
        self._link = Link(Commands(url, timeout_s=timeout_s), self, events=events, clock=clock)
        self._vault = Vault(self._link, self._replica)
        self._budget = Budget(self._link, max_size=max_size, remove=self._remove_all)
        self._marks = Marks()
        self._owed: dict[str, EntryId] = {}
        self._renewing: dict[str, EntryId] = {}

    def recall(self, key: str) -> list[StoredEntry] | None:
        if self._clock.now() >= self._link.good_until:
            return None
        shelf = self._front.current(key)
        if shelf is None:
            return None
        if shelf.noted != self._budget.round:
            shelf.noted = self._budget.round
            self._note(shelf.held)
        return [held.entry for held in shelf.held]

    async def entries(self, key: str) -> list[StoredEntry]:
        found = self.recall(key)
        if found is not None:
            return found
        await self._link.ready()
        try:
            held = await self._load(key)
        except CacheStoreError:
            return []
        self._note(held)
        return [one.entry for one in held]

    def body_at_hand(self, entry: StoredEntry) -> bytes | None:
        if self._clock.now() >= self._link.good_until:
            return None
        held = self._front.find(entry.id)
        return None if held is None else held.body

    async def open_body(self, entry: StoredEntry, span: Span | None = None) -> BodyReader:
        body = self.body_at_hand(entry)
        if body is not None:
            return PiecesBody(Pieces(body), span)
        entry_id = EntryId.parse(entry.id)
        if entry_id is None:
            raise CacheStoreError("the stored response is not one of this store")
        await self._link.ready()
        wanted = span or Span(0, entry_id.length)
        first = await self._vault.begin_body(entry_id, wanted)
        if len(first) == entry_id.length:
            self._front.keep_body(entry.id, first)
        self._budget.use(entry.id)
        return RedisBody(self._vault, entry_id, wanted, first)

    def moment(self, key: str) -> int:
        return self._marks.of(tag_of(key)) if self._link.here else _DEAF

    def invalidate(self, key: str) -> None:
        tag = tag_of(key)
        self._marks.change(tag)
        spawn(self._announce(tag), name="cache-invalidation")

    def begin(
        self,
        key: str,
        entry: StoredEntry,
        length: int | None,
        since: int | None = None,
    ) -> EntryWriter | None:
        limit = min(self._max_body, self._budget.max_size)
        if not self._link.here or (length or 0) > limit:
            return None

        def good() -> bool:
            return since is None or self.moment(key) == since

        return RedisWriter(
            self._vault, self._budget, entry, key, max_body=limit, on_change=self._front.changed, good=good
        )

    def keep_now(self, key: str, entry: StoredEntry, body: bytes, since: int | None = None) -> bool:  # noqa: ARG002 - nothing is stored here without waiting
        return False

    async def freshen(self, entry: StoredEntry) -> None:
        entry_id = EntryId.parse(entry.id)
        if entry_id is None:
            return
        await self._link.ready()
        try:
            await self._vault.freshen(entry_id, heads.dump(entry))
        except CacheStoreError:
            return
        finally:
            self._front.changed(entry_id.tag)

    async def remove(self, entry_id: str) -> None:
        with suppress(CacheStoreError):
            await self.remove_all((entry_id,))

    async def remove_all(self, entry_ids: Sequence[str]) -> None:
        parsed = {entry_id: one for entry_id in entry_ids if (one := EntryId.parse(entry_id)) is not None}
        if not parsed:
            return
        self._owed.update(parsed)
        await self._link.ready()
        try:
            await self._settle()
        finally:
            for one in parsed.values():
                self._front.changed(one.tag)

    async def listed(self, prefix: str = "", *, exact: bool = False) -> AsyncIterator[Listed]:
        await self._link.ready()
        cursor = 0
        while True:
            if exact:
                kept = await self._vault.under(tag_of(prefix))
            else:
                cursor, kept = await self._vault.page(cursor)
            for one in kept:
                listed = self._listed(one)
                if listed is not None and listed.key.startswith(prefix):
                    yield listed
            if cursor == 0:
                return

    async def set_max_size(self, max_size: int) -> None:
        self._budget.max_size = max_size
        await self._link.ready()
        try:
            await self._budget.fit(max_size)
        except CacheStoreError:
            return

    def stats(self) -> tuple[int, int]:
        return self._budget.count, self._budget.total

    async def aclose(self) -> None:
        await self._link.aclose()

    def changed(self, message: bytes) -> None:
        """A replica changed what is under a tag; what this one did, it knows."""
        replica, _, tag = message.decode("latin-1").partition(":")
        if replica == self._replica:
            return
        if tag.startswith(INVALIDATED):
            self._marks.change(tag.removeprefix(INVALIDATED))
        else:
            self._front.changed(tag)

    def lost(self) -> None:
        """Changes may have been missed."""
        self._marks.change_all()
        self._front.all_changed()

    async def beat(self) -> None:
        """Tell Redis what was used, and find out how much there is."""
        try:
            await self._settle()
            if not await self._budget.measure():
                self._front.all_changed()
            if self._renewing:
                renewing, self._renewing = self._renewing, {}
                await self._vault.renew(renewing.values())
        except CacheStoreError:
            return  # told by the link

    def _listed(self, kept: Kept) -> Listed | None:
        """An entry for people; None for what is not one."""
        entry_id, note = str(kept.id), kept.note
        if entry_id in self._owed:
            return None
        try:
            entry = heads.load(kept.head, entry_id=entry_id, body_length=kept.id.length)
        except CacheStoreError:
            return None
        key, digest = (cache_key(entry.request), None) if note is None else (note.key, note.digest)
        return Listed(key, entry, kept.id.size, kept.used, digest)

    async def _announce(self, tag: str) -> None:
        """Tell the others that what they have under way under a key is too old."""
        try:
            await self._vault.announce(tag)
        except CacheStoreError:
            return  # told by the link

    async def _load(self, key: str) -> list[Held]:
        """Ask Redis, and keep what it has. What is known of an entry stays with it, as long as its head is the same."""
        ticket = self._front.ask(tag_of(key))
        try:
            found = await self._vault.heads(ticket.tag)
            known = self._front.known(key)
            held = [one for name, head in found.items() if (one := self._held(name, head, found, known)) is not None]
            self._front.keep(key, held, ticket)
        finally:
            self._front.answered(ticket)
        return held

    def _held(self, name: bytes, head: bytes, found: dict[bytes, bytes], known: dict[str, Held]) -> Held | None:
        """An entry of what Redis has under a key; None for what is not a whole one."""
        entry_id = name.decode("latin-1")
        parsed = EntryId.parse(entry_id) if is_entry(name) else None
        if parsed is None or entry_id in self._owed:
            return None
        before = known.get(entry_id)
        if before is not None and before.head == head:
            return before
        body = before.body if before is not None else found.get(body_field(entry_id).encode())
        if not parsed.pieces and (body is None or len(body) != parsed.length):
            return None
        try:
            entry = heads.load(head, entry_id=entry_id, body_length=parsed.length)
        except CacheStoreError:
            return None
        return Held(entry, head, body)

    def _note(self, held: list[Held]) -> None:
        """Take note of a use."""
        now = self._clock.now()
        for one in held:
            self._budget.use(one.entry.id)
            if now >= one.renew_at:
                one.renew_at = now + _RENEW_EVERY_S
                self._renew(one.entry.id)

    def _renew(self, entry_id: str) -> None:
        parsed = EntryId.parse(entry_id)
        if parsed is not None:
            self._renewing[entry_id] = parsed

    async def _settle(self) -> None:
        """Remove what is to be removed; what could not be, while Redis was away, is removed when it is back."""
        if not self._owed:
            return
        owed = dict(self._owed)
        await self._vault.remove(owed.values())
        for entry_id in owed:
            self._owed.pop(entry_id, None)
        await self._budget.drop(owed)

    async def _remove_all(self, entry_ids: Iterable[str]) -> None:
        """Remove what has to make room."""
        parsed = [one for entry_id in entry_ids if (one := EntryId.parse(entry_id)) is not None]
        for one in parsed:
            self._front.changed(one.tag)
        await self._vault.remove(parsed)
        for one in parsed:
            self._front.changed(one.tag)
