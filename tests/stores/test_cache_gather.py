import pytest

from sluicegate.errors import ResponseCutShort
from sluicegate.stores.cache_gather import Gathering
from support.messages import Body, read_all


class Taken:
    """What became of a gathered body."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self.instead: list[Body] = []

    async def on_whole(self, body: bytes) -> None:
        self.whole.append(body)

    async def on_too_large(self, body):
        self.instead.append(body)
        return body


@pytest.fixture
def taken():
    return Taken()


def gather(body: Body, taken: Taken, limit: int = 10) -> Gathering:
    return Gathering(body, limit, on_whole=taken.on_whole, on_too_large=taken.on_too_large)


async def test_a_small_body_is_given_whole_at_its_end_and_once(taken):
    reader = gather(Body(b"01234", b"56789", length=10), taken)

    assert reader.length == 10
    assert [await reader.read(), await reader.read()] == [b"01234", b"56789"]
    assert taken.whole == []
    assert [await reader.read(), await reader.read()] == [b"", b""]
    assert taken.whole == [b"0123456789"]


async def test_a_large_body_goes_on_from_its_beginning_and_the_reader_sees_each_piece_once(taken):
    reader = gather(Body(b"01234", b"56789", b"a", b"b"), taken)

    assert await read_all(reader) == b"0123456789ab"
    assert len(taken.instead) == 1
    assert taken.whole == []


async def test_a_body_that_breaks_is_given_to_nobody(taken):
    reader = gather(Body(b"0", error=ResponseCutShort("cut")), taken)
    await reader.read()

    with pytest.raises(ResponseCutShort):
        await reader.read()
    await reader.aclose()

    assert (taken.whole, taken.instead) == ([], [])


@pytest.mark.parametrize("read", [1, 3], ids=["small so far", "large already"])
async def test_a_reader_that_gives_up_gives_up_the_body_and_gives_it_to_nobody(taken, read):
    body = Body(b"01234", b"56789", b"a", b"b")
    reader = gather(body, taken)
    for _ in range(read):
        await reader.read()

    await reader.aclose()

    assert body.closed
    assert taken.whole == []
