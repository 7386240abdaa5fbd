"""Taking stored responses out of the cache: bodies as a tree of files, with an index of their heads.

A body is read to its end and checked before anything of it is given away, so that no export has half of one.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from sluicegate.core.caching.digests import NAME
from sluicegate.core.caching.listing import Listed
from sluicegate.core.http import FieldList
from sluicegate.core.ports import CacheStore
from sluicegate.upkeep.reading import Verdict, read_through

INDEX_NAME = "index.jsonl"
_IN_MEMORY = 4 * 1024 * 1024
_LONGEST_NAME = 180
"""Characters of a file's name; file systems take 255 bytes."""
_DEEPEST = 16
_UNSAFE = re.compile(r"[^A-Za-z0-9._~%+=@,!()-]")
_COPY_BYTES = 1024 * 1024


class Unexported(Exception):
    """A body that is not what was stored, or is gone. `verdict` says which, the text what is wrong."""

    def __init__(self, verdict: Verdict, problem: str) -> None:
        super().__init__(problem)
        self.verdict = verdict


@contextmanager
def spool() -> Iterator[BinaryIO]:
    """A file for one body, in memory if it is small."""
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        yield cast("BinaryIO", file)


async def fetch(store: CacheStore, listed: Listed, file: BinaryIO) -> None:
    """Read a body into an empty file, and go back to its beginning. Raises Unexported, CacheStoreError, OSError."""
    verdict, problem = await read_through(store, listed, file.write)
    if verdict in (Verdict.DAMAGED, Verdict.GONE):
        raise Unexported(verdict, problem or "it was removed or replaced meanwhile")
    file.seek(0)


class Tree:
    """A directory that bodies are put into, as their URLs say, with an index beside them.

    The directory must be new or empty, so that nothing is overwritten.
    """

    def __init__(self, directory: Path) -> None:
        """Make it. Raises FileExistsError, OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise FileExistsError(f"{directory} is not empty")
        self._directory = directory
        self._index = (directory / INDEX_NAME).open("x", encoding="utf-8")

    def put(self, listed: Listed, body: BinaryIO) -> Path:
        """Write a body and a line of the index; the body's path below the directory. Raises OSError."""
        path = self._free_path(listed)
        with (self._directory / path).open("xb") as file:
            shutil.copyfileobj(body, file, _COPY_BYTES)
        self._index.write(json.dumps({"file": path.as_posix(), **head_document(listed)}) + "\n")
        return path

    def close(self) -> None:
        """Finish the index. Raises OSError."""
        self._index.close()

    def _free_path(self, listed: Listed) -> Path:
        path = path_of(listed)
        if self._can_have(path):
            return path
        # Another variant has the name, or a file stands where this needs a directory, or the other way round.
        unique = blake2b(listed.entry.id.encode(), digest_size=8).hexdigest()
        path = Path(path.parts[0], f"{_clipped('%2F'.join(path.parts[1:]))}.{unique}")
        self._can_have(path)
        return path

    def _can_have(self, path: Path) -> bool:
        place = self._directory / path
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            return False
        return not place.exists()


def path_of(listed: Listed) -> Path:
    """Where a body would like to be: `host/path`, never outside, and with names that every file system takes."""
    request = listed.entry.request
    path, mark, query = request.target.partition("?")
    *folders, name = path.split("/")[1:] or [""]
    parts = [_safe(part) for part in folders if part][:_DEEPEST]
    last = _safe((name or "index.html") + (f"@{query}" if mark else ""))
    host = _safe(request.origin.authority)
    return Path(f"%69{host[1:]}" if host == INDEX_NAME else host, *parts, last)


def head_document(listed: Listed) -> dict[str, Any]:
    """All that is known of a stored response, as JSON has it."""
    entry = listed.entry
    return {
        "url": entry.request.url,
        "key": listed.key,
        "method": entry.request.method,
        "request_fields": _fields(entry.request.fields),
        "status": entry.response.status,
        "reason": entry.response.reason.decode("latin-1"),
        "fields": _fields(entry.response.fields),
        "requested_at": entry.request_time,
        "stored_at": entry.response_time,
        "used_at": listed.used or None,
        "body_bytes": entry.body_length,
        "size": listed.size,
        "digest": None if listed.digest is None else f"{NAME}:{listed.digest.hex()}",
        "id": entry.id,
    }


def _fields(fields: FieldList) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in fields]


def _safe(name: str) -> str:
    """A name that is one step down, whatever the URL says."""
    escaped = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "replace")), name)
    return _clipped(escaped if escaped.strip(".") else escaped.replace(".", "%2E"))


def _clipped(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}~{blake2b(name.encode(), digest_size=8).hexdigest()}"
