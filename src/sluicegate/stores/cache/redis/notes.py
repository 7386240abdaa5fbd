"""What Redis keeps of an entry beside its head, for those who look after the cache: the body's digest, the cache key."""

from dataclasses import dataclass

from sluicegate.core.caching.digests import DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Note:
    """`digest` is of the body, `key` what it is stored under."""

    digest: bytes
    key: str

    def dump(self) -> bytes:
        """As Redis has it."""
        return self.digest + self.key.encode("utf-8", "surrogatepass")

    @classmethod
    def load(cls, data: bytes) -> "Note | None":
        """The note that `dump` wrote; None for anything else."""
        try:
            key = data[DIGEST_BYTES:].decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return None
        return cls(data[:DIGEST_BYTES], key) if key else None
