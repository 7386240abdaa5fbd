"""Under which host names the admin server answers, so that no web page can reach it by DNS rebinding."""

import ipaddress
import re
import socket

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})


def answered_names(host: str) -> frozenset[str] | None:
    """The names a loopback server answers to; None when others may reach it, under names we cannot know."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError:
        return None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        return None
    return _LOCAL_NAMES | {f"[{host}]" if ":" in host else host.lower()}


def host_name(authority: str) -> str:
    """The host of a Host field, in lower case, brackets kept."""
    return re.sub(r":\d*$", "", authority).lower()
