from sluicegate.core.framing import head_lines, without_framing


def test_a_head_is_written_as_it_was_listed():
    fields = [(b"X-One", b"1"), (b"x-two", b"2"), (b"X-One", b"3")]

    assert head_lines(200, b"Fine", fields) == b"HTTP/1.1 200 Fine\r\nX-One: 1\r\nx-two: 2\r\nX-One: 3\r\n"


def test_a_status_without_a_reason_gets_the_usual_one():
    assert head_lines(429, b"", []) == b"HTTP/1.1 429 Too Many Requests\r\n"
    assert head_lines(299, b"", []) == b"HTTP/1.1 299 \r\n"


def test_what_says_where_the_body_ends_is_left_out_however_it_is_written():
    fields = [(b"content-LENGTH", b"1"), (b"A", b"b"), (b"Transfer-Encoding", b"chunked"), (b"Content-Lengths", b"x")]

    assert without_framing(fields) == [(b"A", b"b"), (b"Content-Lengths", b"x")]
