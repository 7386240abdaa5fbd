"""How cached responses are named in Redis.

All that belongs to one cache key has the same hash tag, and so one slot of a cluster:

    sluicegate:1:{<tag>}               hash: entry id → head, `+` entry id → a body that is small,
                                       `=` entry id → a note: the body's digest and the cache key
    sluicegate:1:{<tag>}:<unique>:<n>  the n-th piece of a larger body
    sluicegate:1:{index}:uses          sorted set: entry ids, by when each was used last
    sluicegate:1:{index}:total         what all of them take (bytes)
    sluicegate:1:{index}:incarnation   another one when somebody has emptied this Redis

The 1 is the format's version: another one never meets these keys.
"""

import uuid
from dataclasses import dataclass, replace
from hashlib import blake2b

PIECE = 512 * 1024
"""What one key holds of a body (bytes): a command on it keeps neither Redis nor us for long."""
INLINE = 16 * 1024
"""A body up to here is kept with its head (bytes)."""

_PREFIX = "sluicegate:1:"
CHANNEL = f"{_PREFIX}changes"
USES = f"{_PREFIX}{{index}}:uses"
TOTAL = f"{_PREFIX}{{index}}:total"
INCARNATION = f"{_PREFIX}{{index}}:incarnation"

INVALIDATED = "!"
"""Stands before the tag in a message that says that what is under way under it is too old to be kept."""

_OVERHEAD = 512
"""What an entry takes beside its bytes: keys, hash and index (bytes, measured and rounded up)."""


def tag_of(key: str) -> str:
    """The hash tag of a cache key: of one length, and without braces."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def heads_key(tag: str) -> str:
    """The hash of all heads under one cache key."""
    return f"{_PREFIX}{{{tag}}}"


@dataclass(frozen=True, slots=True)
class EntryId:
    """An entry id, which tells where everything is and how much it takes, so that no other note of it is needed."""

    tag: str
    unique: str
    length: int
    """Of the body; of what has been written of it while it is (bytes)."""
    size: int
    """What the entry takes (bytes)."""

    @classmethod
    def new(cls, tag: str) -> "EntryId":
        """The id of an entry of which nothing is written yet."""
        return cls(tag, uuid.uuid4().hex, 0, _OVERHEAD)

    @classmethod
    def parse(cls, text: str) -> "EntryId | None":
        """The id that this is the text of; None for anything else."""
        try:
            tag, unique, length, size = text.split(".")
            return cls(tag, unique, int(length, 16), int(size, 16))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.tag}.{self.unique}.{self.length:x}.{self.size:x}"

    def grown(self, length: int, head: int = 0) -> "EntryId":
        """The same with a body of `length` bytes, and a head of `head` bytes."""
        return replace(self, length=length, size=_OVERHEAD + length + head)

    @property
    def heads(self) -> str:
        """The hash that has this entry's head."""
        return heads_key(self.tag)

    @property
    def pieces(self) -> list[str]:
        """The keys of the body's pieces; none if it is with its head."""
        if self.length <= INLINE:
            return []
        return [self.piece(number) for number in range(-(-self.length // PIECE))]

    def piece(self, number: int) -> str:
        """The key of one piece of the body."""
        return f"{_PREFIX}{{{self.tag}}}:{self.unique}:{number}"


def is_entry(name: bytes) -> bool:
    """Whether a field of a hash of heads has a head, and not what belongs to one."""
    return not name.startswith((b"+", b"="))


def note_field(entry_id: str) -> str:
    """The field that has what is known of an entry beside its head."""
    return f"={entry_id}"


def body_field(entry_id: str) -> str:
    """The field that has the body of an entry whose body is small."""
    return f"+{entry_id}"
