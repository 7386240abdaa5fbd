"""URLs that people write, as the request that a client makes of them."""

import re
from urllib.parse import quote, urlsplit

from sluicegate.core.http import DEFAULT_PORTS, FieldList, Origin, RequestHead
from sluicegate.errors import NotAUrl

_KEPT = "!#$%&'()*+,-./:;=?@[]_~"
"""What stands in a target as it is (RFC 3986 §2): percent signs too, for they begin what is encoded already."""
_SPACE = re.compile(r"\s")


def parse_url(text: str) -> tuple[Origin, str]:
    """The origin and the origin-form target of an absolute http or https URL; its fragment is left out.

    A name beyond ASCII becomes what DNS knows it as, other letters beyond ASCII are percent-encoded. Raises NotAUrl.
    """
    url = text.strip()
    try:
        url.encode()
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:  # UnicodeError is one
        raise NotAUrl(f"{url!r} is no URL.") from None
    if parts.scheme not in DEFAULT_PORTS or not host or _SPACE.search(url):
        raise NotAUrl(f"{url!r} is no absolute http or https URL.")
    target = quote(parts.path or "/", safe=_KEPT)
    if "?" in url.partition("#")[0]:
        target += "?" + quote(parts.query, safe=_KEPT)
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme]), target


def request_for(url: str, fields: FieldList, *, method: str = "GET", agent: str = "sluicegate") -> RequestHead:
    """The request that a plain client makes: `fields`, and Host, User-Agent and Accept where they are not among them.

    Raises NotAUrl.
    """
    origin, target = parse_url(url)
    given = {name.lower() for name, _ in fields}
    usual = [(b"Host", origin.authority.encode()), (b"User-Agent", agent.encode()), (b"Accept", b"*/*")]
    return RequestHead(method, origin, target, [*(item for item in usual if item[0].lower() not in given), *fields])
