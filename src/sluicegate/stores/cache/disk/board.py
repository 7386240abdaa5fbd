"""What all processes on a directory see at once, without asking SQLite: has anything under a key changed?

A file that every process maps, with a counter of 32 bits a slot; all keys with the same slot share it. The lowest bit
says that a change is being made, the next that something is stored in the slot, the others count changes. So

- a slot with neither bit set has certainly nothing stored: the common miss costs no look-up;
- what was loaded while the slot had an even value is current for as long as it has that value.

Whoever changes something sets the lowest bit before its COMMIT and moves the counter on after it, all the time holding
the directory's lock. One that dies in between leaves the bit set: then nothing in that slot counts as current, which is
slow and right, until somebody changes the slot again. Two looks at a slot would have to lie a thousand million changes
apart for the counter to come round unseen.

After the slots are two tables of marks, each mark for many keys: whoever invalidates what is under a key gives its mark in
both another value, at random, so that no lock is needed. A response whose request was sent before, in whatever process,
is not kept if both have changed. That both do so for other keys' sake is rare, and costs one response that is not kept;
with one small table it would not be rare where much is posted.

The page cache outlives a killed process but not the machine, so the header names the boot, and another boot begins a
new board. The space is taken when the file is made, and the file never shrinks: touching a mapped page that the disk
has no room for, or that is gone, would kill the process.
"""

import mmap
import os
import secrets
import struct
from collections.abc import Iterable
from pathlib import Path

_MAGIC = b"sluicebd"
_VERSION = 2
_HEADER = struct.Struct("=8sIIQ40sI")
_HEADER_BYTES = 4096
_FIRST = _HEADER_BYTES // 4
_FILLED_AT = _HEADER.size - 4
_WORD = 0xFFFFFFFF
_COUNT = _WORD & ~3
CHANGING = 1
OCCUPIED = 2
_MARK_BITS = 16
_MARKS_BYTES = 2 * 4 << _MARK_BITS
_SPREAD = 0x9E3779B1
"""Odd, so that multiplying by it, modulo 2**32, gives each CRC-32 a place of its own that has nothing to do with its first bits."""
MAX_BITS = 22
MIN_BITS = 10
_BYTES_AN_ENTRY = 4096
_SHARE_OF_FREE_SPACE = 64


class Board:
    """A board that is open. Reading is for every thread; writing for whoever holds the directory's lock."""

    def __init__(self, path: Path, mapped: mmap.mmap, bits: int, inode: int) -> None:
        self.path = path
        self._mapped = mapped
        self._inode = inode
        self._shift = 32 - bits
        self._marks = _FIRST + (1 << bits)
        self.slots = memoryview(mapped).cast("I")
        """The counters, by place."""

    def place(self, slot: int) -> int:
        """Where in `slots` the counter of a key is, by the key's CRC-32."""
        return _FIRST + (slot >> self._shift)

    def mark(self, slot: int) -> int:
        """The marks of a key, by the key's CRC-32, for `outdated` later."""
        first, second = self._marks_of(slot)
        return self.slots[first] << 32 | self.slots[second]

    def outdated(self, slot: int, since: int | None) -> bool:
        """Whether what was asked for under a key was invalidated since its marks were these; None: it has none."""
        if since is None:
            return False
        first, second = self._marks_of(slot)
        return self.slots[first] != since >> 32 and self.slots[second] != since & _WORD

    def change_mark(self, slot: int) -> None:
        """Invalidate what is on its way under a key. For everybody, with the lock or without."""
        for place in self._marks_of(slot):
            self.slots[place] = secrets.randbits(32)

    def _marks_of(self, slot: int) -> tuple[int, int]:
        first = self._marks + (slot >> 32 - _MARK_BITS)
        second = self._marks + (1 << _MARK_BITS) + ((slot * _SPREAD & _WORD) >> 32 - _MARK_BITS)
        return first, second

    def range_of(self, place: int) -> tuple[int, int]:
        """The first and last CRC-32 that have this place."""
        first = (place - _FIRST) << self._shift
        return first, first | ((1 << self._shift) - 1)

    @property
    def filled(self) -> bool:
        """Whether every slot with something in it says so; before, an empty slot says nothing."""
        return self.slots[_FILLED_AT // 4] == 1

    def fill(self, crcs: Iterable[int]) -> None:
        """Mark the slots that have something in them."""
        slots, shift = self.slots, self._shift
        for crc in crcs:
            place = _FIRST + (crc >> shift)
            if not slots[place] & OCCUPIED:
                slots[place] |= OCCUPIED

    def set_filled(self) -> None:
        """All slots have been marked."""
        self.slots[_FILLED_AT // 4] = 1

    def in_flux(self, place: int) -> int:
        """The value that the slot has while it is being changed."""
        value = self.slots[place]
        return (value + 4 & _WORD) | CHANGING

    def settled(self, flux: int, *, occupied: bool) -> int:
        """The value that a slot has after the change during which it had `flux`."""
        return (flux + 4 & _COUNT) | (OCCUPIED if occupied else 0)

    @property
    def in_place(self) -> bool:
        """Whether the file at the path is still this one."""
        try:
            return self.path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Let go of the memory; idempotent. Nothing may be read afterwards."""
        self.slots.release()
        self._mapped.close()


def bits_for(max_size: int, free: int) -> int:
    """How many slots, as a power of two: about one for each entry of a few KiB, and little of the free space."""
    entries = max(1, min(max_size // _BYTES_AN_ENTRY, free // _SHARE_OF_FREE_SPACE // 4))
    return max(MIN_BITS, min(MAX_BITS, entries.bit_length()))


def open_board(path: Path, *, boot: str, generation: int, max_size: int) -> tuple[Board, bool]:
    """The board at `path`, and whether it had to be made: then it is to be filled from the database.

    Hold the directory's lock. Raises OSError.
    """
    board = _open(path, boot, generation)
    if board is not None:
        return board, False
    _make(path, boot, generation, max_size)
    board = _open(path, boot, generation)
    if board is None:
        raise OSError(f"{path} cannot be read back")
    return board, True


def _open(path: Path, boot: str, generation: int) -> Board | None:
    """The board, if it is whole, of this boot and of the database of this generation."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        size = os.fstat(file).st_size
        header = os.pread(file, _HEADER.size, 0)
        if len(header) < _HEADER.size:
            return None
        magic, version, bits, written_for, written_in, _ = _HEADER.unpack(header)
        fits = (magic, version, written_for, written_in) == (_MAGIC, _VERSION, generation, _boot(boot))
        if not fits or not MIN_BITS <= bits <= MAX_BITS or size != _size(bits):
            return None
        return Board(path, mmap.mmap(file, size), bits, os.fstat(file).st_ino)
    finally:
        os.close(file)


def _make(path: Path, boot: str, generation: int, max_size: int) -> None:
    space = os.statvfs(path.parent)
    bits = bits_for(max_size, space.f_bavail * space.f_frsize)
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _take_space(file, _size(bits))
        os.pwrite(file, _HEADER.pack(_MAGIC, _VERSION, bits, generation, _boot(boot), 0), 0)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(file)


def _size(bits: int) -> int:
    return _HEADER_BYTES + (4 << bits) + _MARKS_BYTES


def _take_space(file: int, size: int) -> None:
    """Give a new file its space on the disk, all zero. Raises OSError when there is not enough."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        os.pwrite(file, bytes(size), 0)


def _boot(boot: str) -> bytes:
    return boot.encode()[:40].ljust(40, b"\0")
