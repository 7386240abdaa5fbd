from sluicegate.core.caching.digests import DIGEST_BYTES, digest_of, digesting


def test_a_body_has_the_same_digest_in_pieces_as_in_one():
    pieces = digesting()
    for piece in (b"a", b"", b"bc" * 1000):
        pieces.update(piece)

    assert pieces.digest() == digest_of(b"a" + b"bc" * 1000)
    assert len(digest_of(b"")) == DIGEST_BYTES


def test_the_digest_is_the_one_that_is_written_in_stores():
    assert digest_of(b"hello").hex() == "b5e9c1ad071b3e7fc779cfaa5e523818"


def test_one_bit_makes_another_digest():
    assert digest_of(b"\x00" * 100) != digest_of(b"\x00" * 99 + b"\x01")
