"""Addresses, host patterns, networks and what else a configuration names. Text in, typed value out, and back."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from sluicegate.config.leaf import Leaf, Unacceptable, switch, text, whole
from sluicegate.core.caching.keys import normal_path

ADDRESS_FORMS = "host:port, such as 127.0.0.1:3128 or [::1]:3128"
PATTERN_FORMS = "a host name, an IP address, or *.domain for all subdomains"
PATH_FORMS = "a path, such as /simple/*, where an asterisk is any characters, slashes too"
BEARER_FORMS = "at least 16 letters, digits and -._~+/ (openssl rand -hex 32)"
HIGHEST_PORT = 65535
_SHORTEST_TOKEN = 16
LONGEST_NAME = 253

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SCRYPT = re.compile(r"scrypt\$\d+\$\d+\$\d+\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host name or an IP address without brackets, and a port (0: any free one)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it. A name other than localhost counts as reachable from outside."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def parse_address(value: Any) -> Address:
    """`127.0.0.1:3128`, `localhost:3128` or `[::1]:3128`. Unacceptable otherwise."""
    host, colon, port = text(value).rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise Unacceptable("has no port" if not port.isdigit() or not colon else "is not an address")
    if int(port) > HIGHEST_PORT:
        raise Unacceptable("has a port over 65535")
    if host.startswith("[") and host.endswith("]"):
        return Address(_ipv6(host[1:-1]), int(port))
    if ":" in host:
        raise Unacceptable("is an IPv6 address without brackets")
    if not host:
        raise Unacceptable("has no host; 0.0.0.0 stands for every IPv4 address")
    return Address(host_name(host), int(port))


def admin_address(value: Any) -> Address | None:
    """As `parse_address`, or None for `off`."""
    return None if value == "off" else parse_address(value)


def show_admin(value: Address | None) -> str:
    """What `admin_address` reads to the same value."""
    return "off" if value is None else str(value)


def host_name(value: str) -> str:
    """A host as requests carry it: lower case, no trailing dot, punycode, no brackets. Unacceptable if it is none."""
    name = value.strip().removesuffix(".").lower()
    try:
        return str(ipaddress.ip_address(name.removeprefix("[").removesuffix("]")))
    except ValueError:
        pass
    try:
        name = name if name.isascii() else name.encode("idna").decode("ascii")
    except UnicodeError:
        raise Unacceptable("is not a host name") from None
    labels = name.split(".")
    if len(name) > LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise Unacceptable("is not a host name")
    if labels[-1].isdigit():
        raise Unacceptable("is neither a host name nor an IP address")
    return name


def host_pattern(value: Any) -> str:
    """A host, or `*.` and a domain for its subdomains. Unacceptable, with a hint, for what can never match."""
    pattern = text(value)
    if "://" in pattern or "/" in pattern:
        raise Unacceptable("is a URL or a network and can never match a host")
    if pattern == "*":
        raise Unacceptable("matches nothing; every host falls under limits.default")
    wildcard = pattern.startswith("*.")
    rest = pattern[2:] if wildcard else pattern
    if "*" in rest or "?" in rest:
        raise Unacceptable("can never match: the only wildcard is a leading '*.'")
    if re.fullmatch(r"[^:\[\]]+:\d+|\[.*\]:\d+", rest):
        raise Unacceptable("has a port and can never match: limits are per host, all ports together")
    name = host_name(rest)
    if wildcard and (":" in name or name.rpartition(".")[2].isdigit()):
        raise Unacceptable("can never match: an IP address has no subdomains")
    return f"*.{name}" if wildcard else name


def tunnel_pattern(value: Any) -> str:
    """As `host_pattern`."""
    if value == "*":
        raise Unacceptable("matches nothing; write https.mode: tunnel to intercept no host")
    return host_pattern(value)


def rule_host(value: Any) -> str:
    """As `host_pattern`."""
    if value == "*":
        raise Unacceptable("matches nothing; leave hosts out for every host")
    return host_pattern(value)


def path_pattern(value: Any) -> str:
    """A pattern for paths, spelled as cache keys spell them. Unacceptable for what can never match."""
    pattern = text(value)
    if "?" in pattern or "#" in pattern:
        raise Unacceptable("can never match: a path ends before ? and #")
    if not pattern.startswith(("/", "*")):
        raise Unacceptable("can never match: a path begins with /")
    return normal_path(quote(pattern, safe="/*%!$&'()+,;=:@~", encoding="utf-8"))


def query_names(value: Any) -> tuple[str, ...]:
    """Names of query parameters, or `*` alone for `all`. Unacceptable otherwise."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise Unacceptable("is not a list of names")
    if value == "all" or "*" in names:
        return ("*",)
    if any(letter in name for name in names for letter in "&=?#"):
        raise Unacceptable("has a name that can never match: & = ? # are no part of one")
    return tuple(names)


def show_query_names(names: tuple[str, ...]) -> list[str] | str:
    """What `query_names` reads to the same value."""
    return "all" if names == ("*",) else list(names)


def network(value: Any) -> Network:
    """An IP network or a single address. Unacceptable otherwise."""
    try:
        return ipaddress.ip_network(text(value), strict=False)
    except ValueError:
        raise Unacceptable("is not an IP network") from None


REDIS_URL_FORMS = "redis://[user:password@]host:port/db, rediss:// the same with TLS, or unix:///path?db=N"


def _url(value: Any) -> tuple[str, SplitResult, int | None]:
    """A URL as it was written, its parts, and its port."""
    url = text(value)
    try:
        parts = urlsplit(url)
        return url, parts, parts.port
    except ValueError:
        raise Unacceptable("is not a URL") from None


def redis_url(value: Any) -> str:
    """The URL of a Redis, with credentials before the `@` only, where they are masked. Unacceptable otherwise."""
    url, parts, port = _url(value)
    place = parts.path if parts.scheme == "unix" else parts.hostname
    if parts.scheme not in {"redis", "rediss", "unix"} or not place or port == 0 or parts.fragment:
        raise Unacceptable("is not the address of a Redis")
    if parse_qs(parts.query).keys() & {"username", "password"}:
        raise Unacceptable("must have user and password before the @")
    return url


def parent_proxy(value: Any) -> str:
    """`http://[user:password@]host:port`. Unacceptable otherwise."""
    url, parts, port = _url(value)
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise Unacceptable("is not the address of an HTTP proxy")
    if port is None:
        raise Unacceptable("has no port")
    return url


def password_hash(value: Any) -> str:
    """What `sluicegate password` prints. Unacceptable otherwise."""
    if not isinstance(value, str) or _SCRYPT.fullmatch(value) is None:
        raise Unacceptable("is not a password's hash")
    return value


def bearer_token(value: Any) -> str:
    """A secret that can stand in `Authorization: Bearer` (RFC 6750 §2.1). Unacceptable otherwise."""
    token = text(value)
    if len(token) < _SHORTEST_TOKEN:
        raise Unacceptable("is too short to be a secret")
    if _BEARER.fullmatch(token) is None:
        raise Unacceptable("has characters that cannot stand in a token")
    return token


def field_name(value: Any) -> str:
    """An HTTP field name (RFC 9110 §5.1). Unacceptable otherwise."""
    name = text(value)
    if _TOKEN.fullmatch(name) is None:
        raise Unacceptable("is not an HTTP field name")
    return name


def workers() -> Leaf:
    """A number of processes, or `auto`."""
    number = whole(1, 64)
    return Leaf(
        lambda value: value if value == "auto" else number.read(value),
        'a whole number from 1 to 64, or "auto"',
        lambda value: value,
        {"anyOf": [number.schema, {"const": "auto"}]},
    )


def unavailable_switch(value: Any) -> bool:
    """False. Unacceptable otherwise."""
    if switch(value):
        raise Unacceptable("is not available yet")
    return False


def _ipv6(host: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise Unacceptable("is not an IPv6 address") from None
