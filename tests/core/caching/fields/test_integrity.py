import base64
import hashlib

import pytest

from sluicegate.core.caching.fields.integrity import Claim, claim
from sluicegate.core.http import ResponseHead

SHA256 = hashlib.sha256(b"body").digest()
SHA512 = hashlib.sha512(b"body").digest()


def member(name, digest):
    return name + b"=:" + base64.b64encode(digest) + b":"


def response(*fields, status=200):
    return ResponseHead(status, b"", list(fields))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ([(b"Content-Digest", member(b"sha-256", SHA256))], Claim("sha256", SHA256)),
        ([(b"Repr-Digest", member(b"sha-512", SHA512))], Claim("sha512", SHA512)),
        ([(b"Repr-Digest", member(b"sha-256", SHA256)), (b"repr-digest", member(b"sha-512", SHA512))], "sha512"),
        ([(b"Content-Digest", member(b"sha-256", SHA256) + b";a=1")], Claim("sha256", SHA256)),
        ([(b"Content-Digest", member(b"md5", b"0" * 16))], None),
        ([(b"Content-Digest", b"sha-256=abc")], None),
        ([(b"Content-Digest", b"sha-256=(:YQ==:)")], None),
        ([(b"Content-Digest", b"=::")], None),
        ([(b"Content-Digest", member(b"sha-256", SHA256) + b" " * 10_000)], None),
        ([], None),
    ],
)
def test_the_strongest_digest_that_can_be_read_counts(fields, found):
    claimed = claim(response(*fields))

    assert claimed == found or (isinstance(found, str) and claimed is not None and claimed.algorithm == found)


def test_the_digest_of_the_representation_says_nothing_of_a_part():
    whole, part = (b"Repr-Digest", member(b"sha-256", SHA256)), (b"Content-Digest", member(b"sha-512", SHA512))

    assert claim(response(whole, status=206)) is None
    assert claim(response(whole, part, status=206)) == Claim("sha512", SHA512)
