from bench.profile_run import place, report

SEEN = {
    ("/x/src/sluicegate/proxy/lane.py", 7, "advance"): (200, 200, 0.002, 0.010, {}),
    ("~", 0, "<built-in method builtins.len>"): (1000, 1000, 0.004, 0.004, {}),
}


def test_the_profile_is_told_by_request_the_costliest_function_first():
    title, _head, first, second = report(SEEN, 100, "hits", "own", 5).splitlines()

    assert title == "hits: 100 requests, 60 µs of Python each"
    assert first.split(maxsplit=3) == ["10.00", "40.00", "40.00", "<built-in method builtins.len>"]
    assert second.split(maxsplit=3) == ["2.00", "20.00", "100.00", "sluicegate/proxy/lane.py:7 advance"]


def test_the_profile_can_be_told_with_callees_and_cut():
    assert "advance" in report(SEEN, 100, "hits", "cumulative", 1)
    assert "len" not in report(SEEN, 100, "hits", "cumulative", 1)


def test_a_place_is_short_whoever_it_belongs_to():
    assert (
        place("/v/lib/python3.13/site-packages/mitmproxy/proxy/server.py", 3, "run")
        == "mitmproxy/proxy/server.py:3 run"
    )
    assert place("/usr/lib/python3.13/asyncio/streams.py", 1, "write") == "python3.13/asyncio/streams.py:1 write"
