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
from sluicegate.observe.totals import Totals


def access(cache, *, size=100, wait_s=0.0, error=""):
    return Access("r", "c", "GET", "http://h/", "h", 200, size, 0.01, wait_s, cache, error=error)


def test_totals_tell_what_the_proxy_spared_and_spent():
    totals = Totals()
    for event in [
        access("hit", size=1000),
        access("stale", size=10),
        access("revalidated", size=1),
        access("miss", wait_s=0.5),
        access("miss", wait_s=0.25, error="client_gone"),
        Permitted("r", "h", "h", 0.5, 0, 1),
        Permitted("r", "h", "h", 0.25, 0, 1),
        Rejected("r", "h", "h", "max_wait", 1.0, 1),
        Abandoned("r", "h", "h", 0.1),
        UpstreamAnswered("r", "h", 200, 0.1, reused=False),
        UpstreamFailed("r", "h", "dns_error", ""),
        Notice(Stage.CONFIG, "reloaded", Level.INFO, ""),
    ]:
        totals.emit(event)

    assert totals.as_dict() == {
        "requests": 5,
        "hits": 2,
        "revalidated": 1,
        "errors": 1,
        "bytes_sent": 1211,
        "bytes_from_cache": 1011,
        "wait_s": 0.75,
        "permits": 2,
        "rejected": 1,
        "abandoned": 1,
        "upstream_requests": 2,
        "upstream_failures": 1,
    }
