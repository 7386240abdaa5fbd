"""A download that stays under way for as long as a test wants it to."""

import asyncio
import threading

from support.origin import Peer


class Held:
    """A handler that sends half of a response, and the rest once `release` is set; /quick is answered at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.half_sent = threading.Event()

    async def __call__(self, peer: Peer) -> None:
        request = await peer.request()
        if request is not None and request.target == "/quick":
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            return
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        self.half_sent.set()
        await asyncio.to_thread(self.release.wait, 60)
        peer.send(b"done")


def begin(proxy, origin):
    """The connection of a client that downloads through `proxy` what is held."""
    host = f"127.0.0.1:{origin.port}"
    return proxy.raw(f"GET http://{host}/slow HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
