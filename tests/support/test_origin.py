import urllib.request

import pytest

from support.origin import Peer, ThreadedOrigin, answer, response


def test_a_threaded_origin_answers_from_its_own_thread():
    with ThreadedOrigin(answer(response(body=b"hello"))) as origin:
        with urllib.request.urlopen(f"{origin.url}/x", timeout=10) as reply:
            assert reply.read() == b"hello"
        origin.until(lambda origin: origin.open == 0)

        assert (origin.accepted, [seen.target for seen in origin.log]) == (1, ["/x"])


def test_a_handler_that_fails_fails_the_test():
    async def broken(peer: Peer) -> None:
        await peer.request()
        raise ValueError("a bug in the handler")

    def provoke() -> None:
        with ThreadedOrigin(broken) as origin:
            with pytest.raises(OSError):
                urllib.request.urlopen(origin.url, timeout=10)
            origin.until(lambda origin: origin.open == 0)

    with pytest.raises(ExceptionGroup):
        provoke()
