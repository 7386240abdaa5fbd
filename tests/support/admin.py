"""What an admin server in a test shows, and a client that asks it."""

import asyncio
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage

from sluicegate.admin.server import AdminServer
from sluicegate.observe.metrics import Metrics
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals


def document():
    return status_document(
        listen="127.0.0.1:3128",
        uptime_s=12.3456,
        config=ConfigInfo("/etc/sluicegate.yaml", "abc123", 1_800_000_000.0),
        totals=Totals(requests=4, hits=1),
        state=State([LimitState("h", "default", "10/second", 8, queue=2, in_flight=1)], 5, 500, 3, 1),
    )


class Shown:
    """What the admin server looks at."""

    ready = True
    make_status = staticmethod(document)

    async def status(self):
        return self.make_status()


async def metrics(accept):
    return Metrics().exposition(accept)


@dataclass
class Asker:
    """A client of an admin server on this event loop."""

    server: AdminServer

    async def __call__(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, HTTPMessage, str]:
        return await asyncio.to_thread(self._ask, path, method, body, headers)

    def _ask(self, path, method, body, headers):
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()
