"""Sending a request's body while its response is awaited (RFC 9112 §7.1, RFC 9110 §10.1.1)."""

import asyncio
import math
from collections.abc import Callable

from sluicegate.core.ports import BodyReader
from sluicegate.errors import BadRequest
from sluicegate.tasks import spawn
from sluicegate.upstream.request import field_lines
from sluicegate.upstream.wire import Wire


class Upload:
    """Pumps `body` into `wire` at the pace of the slower one.

    `on_end` is called once: with None when the whole body is written, or with what its reader raised. It is not called
    after `stop`. While the origin takes nothing, `due` is when (on the loop's clock) it must have taken something. The
    reader is not closed here: it belongs to whoever opened it.
    """

    __slots__ = ("_body", "_on_end", "_task", "_timeout_s", "_wire", "complete", "due", "running")

    def __init__(
        self, wire: Wire, body: BodyReader, on_end: Callable[[Exception | None], None], *, idle_timeout_s: float
    ) -> None:
        self.running = True
        self.complete = False
        """All of it is written; without that the connection cannot carry another request."""
        self.due = math.inf
        self._wire = wire
        self._body = body
        self._on_end = on_end
        self._timeout_s = idle_timeout_s
        self._task = spawn(self._run(), name=f"upload to {wire.origin}")

    def stop(self) -> None:
        """Send no more of the body. Idempotent."""
        if self.running:
            self.running = False
            self._task.cancel()

    async def _run(self) -> None:
        failure: Exception | None = None
        try:
            await (self._send_chunked() if self._body.length is None else self._send_counted(self._body.length))
        except Exception as error:
            failure = error
        if self.running:
            self.running = False
            self.complete = failure is None
            self._on_end(failure)

    async def _send_counted(self, length: int) -> None:
        left = length
        while piece := await self._body.read():
            left -= len(piece)
            if left < 0:
                break
            self._wire.transport.write(piece)
            await self._pace()
        if left != 0:
            raise BadRequest("The request's body does not have the length that was announced.")

    async def _send_chunked(self) -> None:
        # Not writelines: asyncio's does not pause the writer up to Python 3.12.7 and 3.13.0 (CVE-2024-12254).
        write = self._wire.transport.write
        while piece := await self._body.read():
            write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._pace()
        write(b"0\r\n%b\r\n" % field_lines(self._body.trailers))

    async def _pace(self) -> None:
        if self._wire.congested:
            self.due = asyncio.get_running_loop().time() + self._timeout_s
            await self._wire.drained()
            self.due = math.inf
