"""Tunnels and WebSockets: mitmproxy carries them, the engine never sees them. Each costs one permit before it opens."""

import asyncio
import socket
from dataclasses import dataclass

from sluicegate.core.access import AccessPolicy
from sluicegate.core.http import FieldList
from sluicegate.core.loops import check_loop
from sluicegate.errors import DestinationForbidden, Offline
from sluicegate.exchange.call import Call, Identity
from sluicegate.gate.gate import Ask, Gate


@dataclass(frozen=True, slots=True)
class Parent:
    """The proxy that all connections go through."""

    address: tuple[str, int]
    authorization: str = ""
    """The value of Proxy-Authorization, "" for none."""


class Wayside:
    """Admits connections that do not go through the engine."""

    def __init__(
        self,
        *,
        gate: Gate,
        access: AccessPolicy,
        identity: Identity,
        parent: Parent | None = None,
        offline: bool = False,
    ) -> None:
        """`offline`: nothing is let through."""
        self.offline = offline
        self.access = access
        self.identity = identity
        self.parent = parent
        self._gate = gate

    def check(self, host: str, fields: FieldList) -> None:
        """Raise LoopDetected or DestinationForbidden for a request that must not be carried."""
        check_loop(fields, self.identity.pseudonym)
        self.access.admit_host(host)

    async def permit(self, call: Call) -> None:
        """Wait for a permit for one connection to the call's origin. Raises LimitError, Offline.

        The slot is given back at once: a tunnel may stay open for hours, and only its opening is a request.
        """
        host = call.request.origin.host
        if self.offline:
            raise Offline(host)
        turn = await self._gate.enter(Ask(request_id=call.request_id, host=host, client=call.user or call.client))
        try:
            call.limit_key = turn.key
            await turn.permit()
        finally:
            turn.leave()
            call.wait_s += turn.waited_s

    async def permitted_address(self, host: str, port: int) -> tuple[str, int] | None:
        """The address to connect to instead of the name, so that DNS cannot answer twice; None: the name will do.

        Raises DestinationForbidden for a name that leads to a private address.
        """
        if self.access.allow_private:
            return None
        loop = asyncio.get_running_loop()
        for *_, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if self.access.permits_address(str(address[0])):
                return str(address[0]), port
        raise DestinationForbidden(f"{host} leads to a private network.", advice="See access.allow_private.")
