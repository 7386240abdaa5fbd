"""What the origin has: for each path and version one body that nobody else has, so that any mix or gap is seen.

Paths are `/CLASS/NUMBER`. A version has another length than the one before, and an ETag that names it.
"""

import random
from functools import lru_cache
from zlib import crc32

KIB = 1024
CLASSES = {
    "s": (0, 2 * KIB, 300),
    "m": (40 * KIB, 100 * KIB, 60),
    "r": (200 * KIB, 300 * KIB, 40),
    "l": (512 * KIB, 3 * KIB * KIB, 16),
}
"""Smallest and largest body in bytes, and how many there are: small ones, and such around the largest that the database
takes (64 KiB) and the largest that is kept in memory (256 KiB), and large ones."""
PATHS = {name: [f"/{name}/{number}" for number in range(count)] for name, (_, _, count) in CLASSES.items()}


def size_of(path: str, version: int) -> int:
    """The length of a body in bytes."""
    smallest, largest, _ = CLASSES[path.split("/")[1]]
    return 0 if path == "/s/0" else smallest + crc32(f"{path} {version}".encode()) % (largest - smallest)


def is_chunked(path: str) -> bool:
    """Whether the origin sends it without a Content-Length."""
    return crc32(path.encode()) % 4 == 0


@lru_cache(maxsize=48)
def body_of(path: str, version: int) -> bytes:
    """The body."""
    return random.Random(f"{path} {version}").randbytes(size_of(path, version))


@lru_cache(maxsize=4096)
def etag_of(path: str, version: int) -> str:
    """A strong validator: the version, and a digest of the content."""
    return f'"{version}-{crc32(body_of(path, version)):08x}"'


def version_in(etag: str) -> int:
    """The version that an ETag names; -1 when it is none of ours."""
    number = etag.strip('"').split("-")[0]
    return int(number) if number.isdecimal() else -1
