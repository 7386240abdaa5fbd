"""Who may use the proxy, and what they may reach through it."""

import base64
import binascii
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sluicegate.core.http import FieldList, get_all
from sluicegate.errors import DestinationForbidden, ProxyAuthRequired

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOCAL_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """`access` of the configuration, ready to be asked."""

    allow: tuple[Network, ...] = ()
    """Client networks; empty: every client that can reach the listen address."""
    users: Mapping[str, str] = field(default_factory=dict)
    """User name → password hash; empty: no proxy authentication."""
    verify: Callable[[str, str], bool] = lambda _password, _hashed: False
    allow_private: bool = True
    """Whether loopback, link-local and private destinations may be asked."""

    def admit(self, peer: str, fields: FieldList) -> str:
        """The user's name ("" without authentication).

        Raises DestinationForbidden for a client outside `allow`, ProxyAuthRequired without valid credentials.
        """
        if self.allow:
            self.admit_peer(peer)
        return self.authenticate(fields) if self.users else ""

    def admit_peer(self, peer: str) -> None:
        """Raise DestinationForbidden for a client address outside `allow`."""
        if not self.allow:
            return
        address = _unmapped(ipaddress.ip_address(peer.partition("%")[0]))
        if not any(address in network for network in self.allow):
            raise DestinationForbidden(
                f"The client address {address} is in none of the networks that may use this proxy.",
                advice="Add its network to access.allow.",
            )

    def authenticate(self, fields: FieldList) -> str:
        """The user that Proxy-Authorization names (Basic, RFC 7617). Raises ProxyAuthRequired."""
        for value in get_all(fields, b"proxy-authorization"):
            name, password = _basic(value)
            if (hashed := self.users.get(name)) is not None and self.verify(password, hashed):
                return name
        raise ProxyAuthRequired(
            "This proxy wants a user name and a password.",
            advice="Put them into the proxy URL: http://USER:PASSWORD@HOST:PORT",
        )

    def admit_host(self, host: str) -> None:
        """Raise DestinationForbidden for a host that is a private address by its very name."""
        if self.allow_private:
            return
        if host in LOCAL_NAMES or host.endswith(".localhost"):
            raise _forbidden(host)
        try:
            allowed = self.permits_address(host)
        except ValueError:
            return
        if not allowed:
            raise _forbidden(host)

    def permits_address(self, address: str) -> bool:
        """Whether a resolved address may be connected to; asked after DNS, so that no name can hide one."""
        return self.allow_private or _unmapped(ipaddress.ip_address(address.partition("%")[0])).is_global


def _forbidden(host: str) -> DestinationForbidden:
    return DestinationForbidden(
        f"{host} is on a loopback, link-local or private network.",
        advice="This proxy serves other machines, so such destinations need access.allow_private: true.",
    )


def _unmapped(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def _basic(value: bytes) -> tuple[str, str]:
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        name, _, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, password
