from sluicegate.core.caching.decisions import Forward, PassOn, Reason, Store
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.events import CacheDecided
from sluicegate.exchange.bodies import BytesBody
from sluicegate.exchange.call import Call
from sluicegate.exchange.telling import tell
from support.engine import Recorder
from support.messages import request, response

MISS = Forward(request(), Reason.URI_MISS)
STORED = Store(response(), StoredEntry("", request(), response(), 0, 0), Reason.STORABLE)


def told(lookup, **options):
    """The call's word, the client's Cache-Status and the event."""
    events = Recorder()
    call = Call("r-1", "127.0.0.1", request())
    answer = tell(events, call, lookup, response("X: 1"), BytesBody(), **options)
    [event] = events.of(CacheDecided)
    assert answer.head.fields[0] == (b"X", b"1")
    return call.cache, dict(answer.fields)[b"Cache-Status"], event


def test_client_log_and_metrics_are_told_the_same():
    word, header, event = told(MISS, outcome=STORED, status=200)

    assert (word, header) == ("miss", b"Sluicegate; fwd=uri-miss; fwd-status=200; stored")
    assert event == CacheDecided("r-1", "http://example.com/a", "miss", "storable", "RFC 9111 §3", stored=True)


def test_a_shared_answer_was_stored_by_somebody_else():
    word, header, event = told(MISS, collapsed=True)

    assert (word, header) == ("collapsed", b"Sluicegate; fwd=uri-miss; collapsed")
    assert (event.outcome, event.reason, event.stored) == ("collapsed", "uri-miss", False)


def test_what_is_passed_on_says_why_it_was_not_stored():
    word, header, event = told(MISS, outcome=PassOn(response(), Reason.NO_STORE), status=200)

    assert (word, event.reason, event.stored) == ("miss", "no-store", False)
    assert header.endswith(b"detail=no-store")
