import gzip
import io
from hashlib import sha256

import pytest

from sluicegate.upkeep.warc import WarcWriter
from support.stored import Kept

KEPT = Kept(
    "http://a.example:81/x?y", body=b"he\r\n\r\nllo" * 1000, asked="accept: */*", headers="X: y\nContent-Type: a/b"
)


def records(data: bytes) -> list[tuple[dict[str, str], bytes]]:
    """Read as the standard says, by the lengths alone."""
    found = []
    stream = io.BytesIO(data)
    while line := stream.readline():
        assert line == b"WARC/1.1\r\n"
        fields = {}
        while (line := stream.readline()) != b"\r\n":
            name, value = line.decode().rstrip("\r\n").split(": ", 1)
            fields[name] = value
        found.append((fields, stream.read(int(fields["Content-Length"]))))
        assert stream.read(4) == b"\r\n\r\n"
    return found


def written(*, compress: bool) -> bytes:
    out = io.BytesIO()
    writer = WarcWriter(out, software="sluicegate/1", now=2000.0, compress=compress)
    writer.put(KEPT.listed(1000.0), io.BytesIO(KEPT.body))
    return out.getvalue()


@pytest.mark.parametrize("compress", [False, True])
def test_a_response_and_its_request_are_records_that_name_each_other(compress):
    data = written(compress=compress)

    info, response, request = records(gzip.decompress(data) if compress else data)

    assert info[0]["WARC-Type"] == "warcinfo"
    assert b"software: sluicegate/1\r\n" in info[1]
    assert response[0]["WARC-Type"] == "response"
    assert response[0]["WARC-Target-URI"] == request[0]["WARC-Target-URI"] == KEPT.url
    assert response[0]["WARC-Date"] == "1970-01-01T00:16:40Z"
    assert response[0]["WARC-Payload-Digest"] == f"sha256:{sha256(KEPT.body).hexdigest()}"
    assert response[0]["Content-Type"] == "application/http;msgtype=response"
    assert response[1] == b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Type: a/b\r\n\r\n" + KEPT.body
    assert request[0]["WARC-Concurrent-To"] == response[0]["WARC-Record-ID"]
    assert request[1] == b"GET /x?y HTTP/1.1\r\nHost: a.example:81\r\naccept: */*\r\n\r\n"


def test_each_record_is_a_gzip_member_of_its_own():
    data = written(compress=True)

    assert data.count(b"\x1f\x8b\x08\x00") == 3


def test_record_ids_are_those_of_the_export_before():
    assert written(compress=False) == written(compress=False)
    ids = [fields["WARC-Record-ID"] for fields, _ in records(written(compress=False))]
    assert len(set(ids)) == 3
