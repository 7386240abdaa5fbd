"""Keeping the C library from giving memory back that the next read asks for again."""

_PIECES = 2 * 1024 * 1024
"""Bytes. No block that is smaller costs page faults any more; up to twice as much stays unused with the process."""


def keep_freed_memory() -> None:
    """Let blocks as large as the pieces of bodies come from memory that the process has already.

    glibc maps blocks from 128 KiB on one by one, and gives the end of the heap back from 128 KiB free on, until it sees
    a larger mapped block freed: from then on that size is its bound, and twice that its patience (mallopt(3),
    M_MMAP_THRESHOLD). A body of 256 MiB in pieces of 256 KiB would otherwise be 65,000 page faults, which cost more
    than copying it. Nothing is touched here, so it costs no memory; other C libraries take no notice.
    """
    bytearray(_PIECES)
