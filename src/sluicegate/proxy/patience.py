"""Waiting for a client's sake, and no longer than the client does.

mitmproxy's hooks go on when the client has left: a CONNECT would keep its place in the queue and spend a permit on nobody.
"""

import asyncio
from collections.abc import Awaitable

from mitmproxy.connection import Client, ConnectionState

from sluicegate.errors import ClientGone


class Patience:
    """The waits of clients in mitmproxy's hooks, one a client at most."""

    def __init__(self) -> None:
        self._waits: dict[str, asyncio.Timeout] = {}

    async def wait(self, client: Client, what: Awaitable[None]) -> None:
        """Await `what`; cancel it and raise ClientGone once `client` has left, which may be already."""
        try:
            async with asyncio.timeout(None) as wait:
                self._waits[client.id] = wait
                if not client.state & ConnectionState.CAN_READ:
                    self.end(client)
                await what
        except TimeoutError:
            if not wait.expired():
                raise
            raise ClientGone("the client left while it waited") from None
        finally:
            self._waits.pop(client.id, None)

    def end(self, client: Client) -> None:
        """`client` has left."""
        if (wait := self._waits.pop(client.id, None)) is not None:
            wait.reschedule(0.0)  # a deadline long past
