"""Which variables name the proxy, and which hosts go round it.

No two clients agree on case or on the forms of NO_PROXY; docs/clients.md has the table behind these choices.
"""

import ipaddress
from collections.abc import Mapping, Sequence

PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy")
"""Set in both cases, to the same value: clients differ in which case they read, and in which one wins."""

_NPM_NAMES = ("npm_config_proxy", "npm_config_https_proxy")
"""Above npm's own files, where a `proxy` line would beat HTTP_PROXY."""

_STRONGER_NAMES = ("PIP_PROXY", "CARGO_HTTP_PROXY", "YARN_HTTP_PROXY", "YARN_HTTPS_PROXY", "grpc_proxy")
"""Beat the common variables in one client each: replaced where they are inherited, as they would go round us."""

_LOOPBACK = ("localhost", ".localhost", "127.0.0.1", "::1")
"""No `[::1]`: httpx refuses to start with it."""

_LOOPBACK_FORMS = frozenset({*_LOOPBACK, "*.localhost", "[::1]", "127.0.0.0/8", "127.*", "::1/128"})


def client_address(host: str) -> str:
    """The address at which a client on this machine reaches a proxy that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IPv4


def proxy_variables(proxy_url: str, base: Mapping[str, str]) -> dict[str, str]:
    """The variables that name the proxy. `proxy_url` has its scheme: several clients fail without."""
    names = [name for lower in PROXY_NAMES for name in (lower, lower.upper())]
    names += _NPM_NAMES
    names += [name for name in _both_cases(_NPM_NAMES + _STRONGER_NAMES) if name in base and name not in names]
    return {**dict.fromkeys(names, proxy_url), "NODE_USE_ENV_PROXY": "1"}


def _both_cases(names: Sequence[str]) -> list[str]:
    return [form for name in names for form in (name.lower(), name.upper())]


def no_proxy_entries(base: Mapping[str, str], *, proxy_loopback: bool, bypass: Sequence[str]) -> list[str]:
    """What goes round the proxy: what already did, loopback unless `proxy_loopback`, and the hosts of `bypass`.

    Entries of both cases are merged in order, none twice. With `proxy_loopback` inherited loopback entries are left
    out, since they would defeat it.
    """
    inherited = [
        entry
        for name in ("no_proxy", "NO_PROXY")
        for entry in base.get(name, "").replace(",", " ").split()
        if not (proxy_loopback and entry.lower() in _LOOPBACK_FORMS)
    ]
    loopback = () if proxy_loopback else _LOOPBACK
    added = [entry for host in bypass for entry in bypass_entries(host)]
    return list(dict.fromkeys([*inherited, *loopback, *added]))


def bypass_entries(host: str) -> tuple[str, ...]:
    """The entries for one host: the bare name and the same with a leading dot, the only forms all clients share.

    An IP address has no subdomains and stays alone. Raises ValueError for what is no host name or address.
    """
    name = host.strip().removeprefix("*").removeprefix(".").lower()
    if not name or any(character in name for character in ",/*@[] \t\n"):
        raise ValueError(f"{host!r} is no host name or IP address")
    if ":" in name and name.count(":") == 1:
        raise ValueError(f"{host!r} names a port, which most clients do not understand in NO_PROXY")
    is_address = ":" in name or name.replace(".", "").isdigit()
    return (name,) if is_address else (name, f".{name}")


def no_proxy_variables(entries: Sequence[str]) -> dict[str, str]:
    """NO_PROXY in both cases; nothing when there are no entries and so nothing to say."""
    value = ",".join(entries)
    return {"no_proxy": value, "NO_PROXY": value}
