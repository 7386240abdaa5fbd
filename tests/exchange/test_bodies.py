import asyncio

import pytest

from sluicegate.errors import ResponseCutShort
from sluicegate.exchange.bodies import BytesBody, ReleasingBody, drain
from sluicegate.tasks import spawn


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


async def test_a_body_may_be_there_whose_length_was_never_told():
    body = BytesBody(b"abc", length=None, trailers=[(b"X-Sum", b"1")])

    assert body.length is None
    assert body.trailers == [(b"X-Sum", b"1")]


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


async def test_a_reader_that_is_cancelled_does_not_release_what_others_may_read_on():
    class Waiting(BytesBody):
        async def read(self):
            await asyncio.Event().wait()

    body, released = releasing(Waiting())
    task = spawn(body.read(), name="reader")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert released == []
    await body.aclose()

    assert released == [1]


async def test_a_failure_releases():
    body, released = releasing(Broken())
    with pytest.raises(ResponseCutShort):
        await body.read()

    assert released == [1]
