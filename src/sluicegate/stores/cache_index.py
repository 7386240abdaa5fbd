"""What is in hishel's database, read at once from a read-only connection of our own: a miss costs microseconds."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

_LENGTHS = """
SELECT id, CASE chunk_count WHEN 0 THEN 0 ELSE
  (chunk_count - 1) * (SELECT length(chunk_data) FROM streams WHERE entry_id = e.id AND chunk_number = 0)
  + (SELECT length(chunk_data) FROM streams WHERE entry_id = e.id AND chunk_number = e.chunk_count - 1) END
FROM entries AS e WHERE cache_key = ? AND expires_at IS NULL AND chunk_count IS NOT NULL
"""
"""hishel cuts bodies into pieces of equal size but for the last; entries without a time limit expire at NULL."""

_HEADS = """
SELECT id, data FROM entries WHERE cache_key = ? AND expires_at IS NULL AND chunk_count IS NOT NULL
"""

_PRESENT = """
SELECT 1 FROM entries WHERE cache_key = ? AND +expires_at IS NULL AND chunk_count IS NOT NULL LIMIT 1
"""

_TOTALS = """
SELECT (SELECT count(*) FROM entries WHERE expires_at IS NULL AND chunk_count IS NOT NULL
  AND lower(hex(id)) NOT IN (SELECT value FROM json_each(?))),
  (SELECT (page_count - freelist_count) * page_size
   FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size())
"""


class CacheIndex:
    """Synchronous, for one thread; readers of a WAL database wait for nobody. Methods raise sqlite3.Error."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)

    def body_lengths(self, key: str) -> dict[str, int]:
        """The ids of the visible entries under `key`, with the length of each one's body in bytes."""
        rows = self._connection.execute(_LENGTHS, (key.encode(),))
        return {entry_id.hex(): length for entry_id, length in rows}

    def has(self, key: str) -> bool:
        """Whether there is a visible entry under `key`."""
        return self._connection.execute(_PRESENT, (key.encode(),)).fetchone() is not None

    def heads(self, key: str) -> dict[str, bytes]:
        """The ids of the visible entries under `key`, with what is stored of each one's head."""
        return {entry_id.hex(): head for entry_id, head in self._connection.execute(_HEADS, (key.encode(),))}

    def version(self) -> int:
        """Another number after each change, whoever made it (https://sqlite.org/pragma.html#pragma_data_version)."""
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    def totals(self, leave_out: Iterable[str] = ()) -> tuple[int, int]:
        """How many visible entries there are besides those left out, and how many bytes of the file are in use."""
        entries, size = self._connection.execute(_TOTALS, (json.dumps([*leave_out]),)).fetchone()
        return entries, size

    def close(self) -> None:
        self._connection.close()
