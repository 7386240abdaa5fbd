import pytest

from sluicegate.core.http import Origin, RequestHead
from sluicegate.core.loops import check_loop, forwards_left, via_line, with_one_forward_less
from sluicegate.errors import BadRequest, LoopDetected

ORIGIN = Origin("http", "up.test", 80)


def request(method, *fields):
    return RequestHead(method, ORIGIN, "/", list(fields))


@pytest.mark.parametrize("via", [b"1.1 me", b"1.0 other, 1.1 me (a comment)", b"HTTP/1.1 me"])
def test_rfc9110_7_6_3_our_own_name_in_via_is_a_loop(via):
    with pytest.raises(LoopDetected):
        check_loop([(b"Via", b"1.1 first"), (b"via", via)], b"me")


def test_a_name_that_only_resembles_ours_is_no_loop():
    check_loop([(b"Via", b"1.1 me-too, 1.1 notme")], b"me")


def test_our_via_comes_last():
    assert via_line(b"me") == (b"Via", b"1.1 me")


def test_rfc9110_7_6_2_max_forwards_counts_for_trace_and_options_only():
    line = (b"Max-Forwards", b"3")

    assert forwards_left(request("TRACE", line)) == 3
    assert forwards_left(request("GET", line)) is None
    assert forwards_left(request("OPTIONS")) is None
    assert with_one_forward_less(request("TRACE", line, (b"X", b"3")), 3).fields == [
        (b"Max-Forwards", b"2"),
        (b"X", b"3"),
    ]


def test_max_forwards_that_is_no_number_is_refused():
    with pytest.raises(BadRequest):
        forwards_left(request("TRACE", (b"Max-Forwards", b"-1")))
