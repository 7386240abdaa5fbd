import pytest

from sluicegate.core.http import FieldList, ResponseHead
from sluicegate.upstream.framing import bodyless, framing_fault, persistent, section_size


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("HEAD", 200, True),
        ("GET", 204, True),
        ("GET", 304, True),
        ("CONNECT", 200, True),
        ("CONNECT", 299, True),
        ("CONNECT", 407, False),
        ("GET", 200, False),
        ("POST", 404, False),
    ],
)
def test_rfc9112_6_3_messages_without_a_body(method: str, status: int, expected: bool):
    assert bodyless(method, status) is expected


@pytest.mark.parametrize(
    ("version", "connection", "expected"),
    [
        ("1.1", None, True),
        ("1.1", b"Foo, CLOSE", False),
        ("1.0", None, False),
        ("1.0", b"Keep-Alive", True),
    ],
)
def test_rfc9112_9_3_persistence(version: str, connection: bytes | None, expected: bool):
    fields: FieldList = [] if connection is None else [(b"Connection", connection)]

    assert persistent(ResponseHead(200, b"OK", fields), version) is expected


@pytest.mark.parametrize(
    ("status", "version", "fields", "fault"),
    [
        (200, "1.1", [(b"Transfer-Encoding", b"Chunked")], ""),
        (999, "1.1", [], ""),
        (101, "1.1", [], "switches protocols"),
        (99, "1.1", [], "status is 99"),
        (200, "2.0", [], "HTTP/2.0"),
        (200, "1.1", [(b"Transfer-Encoding", b"gzip, chunked")], "transfer coding"),
        (200, "1.1", [(b"Transfer-Encoding", b"chunked")] * 2, "transfer coding"),
    ],
)
def test_heads_that_parse_and_cannot_be_used(status: int, version: str, fields: FieldList, fault: str):
    found = framing_fault(status, version, ResponseHead(status, b"", fields).get_all(b"transfer-encoding"))

    assert fault in found
    assert bool(found) is bool(fault)


def test_the_size_of_a_section_is_that_on_the_wire():
    fields = [(b"A", b"1"), (b"Bcd", b"")]

    assert section_size(fields) == len(b"A: 1\r\nBcd: \r\n")
