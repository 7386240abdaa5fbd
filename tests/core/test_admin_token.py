from sluicegate.core.admin_token import AdminToken


def test_only_the_token_itself_is_admitted():
    token = AdminToken("0123456789abcdef")

    assert token.admits(b"0123456789abcdef")
    assert not any(
        map(token.admits, (b"", b"0123456789abcde", b"0123456789abcdefg", b"0123456789ABCDEF", "ü".encode()))
    )


def test_it_is_never_shown():
    assert "0123" not in f"{AdminToken('0123456789abcdef')!r} {AdminToken('0123456789abcdef')}"
