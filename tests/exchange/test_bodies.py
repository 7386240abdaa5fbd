import pytest

from sluicegate.errors import CacheStoreError, ResponseCutShort
from sluicegate.exchange.bodies import BytesBody, ReleasingBody, SlicedBody, drain
from support.messages import Body, read_all


class Broken(BytesBody):
    async def read(self):
        raise ResponseCutShort("cut")


def releasing(body):
    released = []
    return ReleasingBody(body, lambda: released.append(1)), released


async def test_bytes_are_read_once():
    body = BytesBody(b"abc")

    assert (body.length, body.content) == (3, b"abc")
    assert [await body.read(), await body.read()] == [b"abc", b""]


async def test_the_end_releases_once():
    body, released = releasing(BytesBody(b"abc"))
    await drain(body)
    await body.read()
    await body.aclose()

    assert released == [1]


async def test_giving_up_releases():
    body, released = releasing(BytesBody(b"abc"))
    assert body.length == 3
    await body.aclose()

    assert released == [1]


async def test_a_failure_releases():
    body, released = releasing(Broken())
    with pytest.raises(ResponseCutShort):
        await body.read()

    assert released == [1]


def parts() -> Body:
    return Body(b"0123", b"45", b"6789")


@pytest.mark.parametrize(("start", "end"), [(0, 10), (0, 1), (3, 5), (4, 6), (5, 9), (9, 10), (0, 0)])
async def test_a_slice_is_the_bytes_between_wherever_the_pieces_end(start, end):
    sliced = SlicedBody(parts(), start, end)

    assert sliced.length == end - start
    assert await read_all(sliced) == b"0123456789"[start:end]
    assert await sliced.read() == b""


async def test_a_slice_reads_nothing_behind_its_end():
    body = parts()

    await read_all(SlicedBody(body, 0, 3))

    assert await body.read() == b"45"


async def test_a_slice_of_a_body_that_turns_out_shorter_is_an_error():
    with pytest.raises(CacheStoreError):
        await read_all(SlicedBody(parts(), 8, 12))


async def test_a_slice_that_is_given_up_gives_up_its_body():
    body = parts()
    sliced = SlicedBody(body, 0, 3)

    await sliced.aclose()

    assert body.closed
    assert await sliced.read() == b""
