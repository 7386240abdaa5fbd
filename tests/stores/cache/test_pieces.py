import sys

from sluicegate.core.caching.decisions import Span
from sluicegate.stores.cache.pieces import Pieces, PiecesBody
from support.messages import read_all


def of(*pieces: bytes) -> Pieces:
    made = Pieces()
    for piece in pieces:
        made.append(piece)
    return made


def test_bytes_are_read_from_any_offset():
    body = b"".join(b"%06d" % number for number in range(20_000))
    pieces = of(*[body[start : start + 7777] for start in range(0, len(body), 7777)])

    for offset in (0, 1, 7776, 7777, 7778, 50_000, len(body) - 1):
        data = pieces.read(offset)
        assert data
        assert body[offset:].startswith(data)
    assert pieces.read(len(body)) == b""
    assert len(pieces) == len(body)


def test_nothing_is_there_at_first_and_empty_pieces_change_nothing():
    pieces = of(b"", b"")

    assert (len(pieces), pieces.read(0), pieces.whole()) == (0, b"", b"")


def test_tiny_pieces_take_little_more_than_their_bytes():
    pieces = of(*[b"x"] * 100_000)
    held = sum(map(sys.getsizeof, pieces._pieces))

    assert held < 110_000
    assert pieces.whole() == b"x" * 100_000


def test_offsets_stay_what_they_are_when_all_becomes_one():
    pieces = of(b"a" * 20_000, b"b" * 20_000)

    assert pieces.whole() == b"a" * 20_000 + b"b" * 20_000
    assert pieces.read(19_999) == b"a" + b"b" * 20_000


def test_a_large_piece_is_not_copied():
    piece = b"x" * 100_000

    assert of(b"y" * 20_000, piece).read(20_000) is piece


async def test_a_body_is_read_whole_or_a_span_of_it():
    pieces = of(b"a" * 20_000, b"b" * 20_000)
    whole, span = PiecesBody(pieces), PiecesBody(pieces, Span(19_998, 20_001))

    assert (whole.length, span.length) == (40_000, 3)
    assert await read_all(whole) == pieces.whole()
    assert await read_all(span) == b"aab"


async def test_a_closed_body_gives_nothing_and_holds_nothing():
    body = PiecesBody(of(b"x"))

    await body.aclose()

    assert await body.read() == b""
