from sluicegate.core.events import (
    Abandoned,
    Access,
    Level,
    Notice,
    Permitted,
    Rejected,
    Stage,
    UpstreamAnswered,
    UpstreamFailed,
)
from sluicegate.observe.tally import Tally
from sluicegate.observe.totals import Totals, totals_of


def access(cache, *, size=100, wait_s=0.0, error="", status=200, host="h"):
    return Access("r", "c", "GET", "http://h/", host, status, size, 0.01, wait_s, cache, error=error)


def test_totals_tell_what_the_proxy_spared_and_spent():
    tally = Tally()
    for event in [
        access("hit", size=900),
        access("hit", size=100, host="other.test", status=206),
        access("stale", size=10),
        access("collapsed", size=5000),
        access("revalidated", size=1),
        access("miss", wait_s=0.5),
        access("miss", wait_s=0.25, error="client_gone"),
        Permitted("r", "h", "h", 0.5, 0, 1),
        Permitted("r", "h", "h", 0.25, 0, 1),
        Rejected("r", "h", "h", "max_wait", 1.0, 1),
        Abandoned("r", "h", "h", 0.1),
        UpstreamAnswered("r", "h", 200, 0.1, reused=False),
        UpstreamAnswered("r", "other.test", 500, 0.1, reused=True),
        UpstreamFailed("r", "h", "dns_error", ""),
        Notice(Stage.CONFIG, "reloaded", Level.INFO, ""),
    ]:
        tally.emit(event)

    assert totals_of(tally).as_dict() == {
        "requests": 7,
        "hits": 4,
        "revalidated": 1,
        "errors": 1,
        "bytes_sent": 6211,
        "bytes_from_cache": 6011,
        "wait_s": 0.75,
        "permits": 2,
        "rejected": 1,
        "abandoned": 1,
        "upstream_requests": 3,
        "upstream_failures": 1,
    }


def test_before_anything_happened_all_totals_are_zero():
    assert totals_of(Tally()) == Totals()
