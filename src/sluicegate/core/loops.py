"""Noticing a request that comes round again: Via and Max-Forwards (RFC 9110 §7.6.2, §7.6.3)."""

from sluicegate.core.http import Field, FieldList, RequestHead, get, get_all
from sluicegate.errors import BadRequest, LoopDetected

MAX_FORWARDS_METHODS = frozenset({"TRACE", "OPTIONS"})


def check_loop(fields: FieldList, pseudonym: bytes) -> None:
    """Raise LoopDetected when a Via line names this very proxy."""
    for value in get_all(fields, b"via"):
        if any(pseudonym in member.split() for member in value.split(b",")):
            raise LoopDetected(
                "The request has come through this proxy before.",
                advice="Look for a proxy setting or a DNS name that points back at the proxy.",
            )


def via_line(pseudonym: bytes) -> Field:
    """This proxy's own Via line, which goes after all others."""
    return (b"Via", b"1.1 " + pseudonym)


def forwards_left(request: RequestHead) -> int | None:
    """How often the request may still be forwarded; None: no bound. Raises BadRequest for a value that is no number."""
    if request.method not in MAX_FORWARDS_METHODS or (value := get(request.fields, b"max-forwards")) is None:
        return None
    if not value.isdigit():
        raise BadRequest(f"Max-Forwards is no number: {value[:20]!r}.")
    return int(value)


def with_one_forward_less(request: RequestHead, left: int) -> RequestHead:
    """The request with Max-Forwards counted down."""
    return request.with_fields(
        [(name, b"%d" % (left - 1) if name.lower() == b"max-forwards" else value) for name, value in request.fields]
    )
