import pytest

from sluicegate.errors import ResponseCutShort
from sluicegate.exchange.chained import ChainedBody
from support.messages import Body, read_all


def opening(body, opened):
    async def open_it():
        opened.append(body)
        return body

    return open_it


async def test_links_come_one_after_the_other_and_are_opened_in_their_turn():
    opened, second = [], Body(b"d", b"e")
    first = Body(b"b", b"c")
    body = ChainedBody([b"a", opening(first, opened), opening(second, opened), b"f"], 6)

    assert await body.read() == b"a"
    assert await body.read() == b"b"
    assert opened == [first]
    assert await read_all(body) == b"cdef"
    assert (first.closed, second.closed) == (True, True)
    assert await body.read() == b""


async def test_the_trailers_are_those_of_the_last_body():
    first, last = Body(b"a"), Body(b"b")
    last.trailers = [(b"X", b"y")]
    body = ChainedBody([first, last], 2)
    await read_all(body)

    assert body.trailers == [(b"X", b"y")]


async def test_a_link_that_fails_fails_the_whole():
    body = ChainedBody([b"a", Body(b"b", error=ResponseCutShort("cut"))], 3)
    with pytest.raises(ResponseCutShort, match="cut"):
        await read_all(body)


async def test_links_that_are_too_short_are_not_taken_for_the_whole():
    with pytest.raises(ResponseCutShort):
        await read_all(ChainedBody([b"a", Body(b"b")], 3))


async def test_given_up_it_closes_what_it_was_given():
    being_read, later = Body(b"a", b"b"), Body(b"c")
    body = ChainedBody([being_read, b"x", later], 4)
    await body.read()
    await body.aclose()
    await body.aclose()

    assert (being_read.closed, later.closed) == (True, True)
