import pytest

from sluicegate.core.events import Access, CacheDecided, Permitted, UpstreamAnswered
from sluicegate.observe.tally import Tally


def access(*, host="h", status=200, cache="hit", reason="", stored=False, duration_s=0.02):
    return Access(
        "r", "c", "GET", f"http://{host}/", host, status, 10, duration_s, 0.5, cache, reason=reason, stored=stored
    )


@pytest.fixture
def tally():
    return Tally(["*.example.org"], host_cap=1)


def test_exchanges_that_differ_only_within_their_labels_share_a_cell(tally):
    for event in (access(host="a.example.org"), access(host="b.example.org", status=204, duration_s=200.0)):
        tally.emit(event)

    ((key, cell),) = tally.exchanges.items()
    assert key == ("*.example.org", 2, "hit", "")
    assert (cell.count, cell.bytes_sent, cell.wait_s, cell.total_s) == (2, 20, 1.0, 200.02)
    assert (cell.counts[4], cell.counts[-1]) == (1, 1)


def test_exchanges_that_differ_in_a_label_do_not(tally):
    for event in (access(), access(host="a.example.org"), access(status=404), access(cache="miss"), access(reason="x")):
        tally.emit(event)

    assert [cell.count for cell in tally.exchanges.values()] == [1] * 5


def test_new_names_hold_for_what_comes_after_them(tally):
    for event in (Permitted("r", "api.test", "k", 0.0, 0, 1), Permitted("r", "b.test", "k", 0.0, 0, 1)):
        tally.emit(event)
    tally.hosts.configure(["b.test"])
    tally.emit(Permitted("r", "b.test", "k", 0.0, 0, 1))
    tally.emit(UpstreamAnswered("r", "b.test", 200, 0.1, reused=False))

    assert {host: spread.count for host, spread in tally.waits.items()} == {"api.test": 1, "other": 1, "b.test": 1}
    assert list(tally.answers) == [("b.test", 2)]


def test_what_the_cache_stored_is_counted_whoever_tells_it(tally):
    tally.emit(CacheDecided("r", "http://h/", "miss", "storable", "x", stored=True))
    tally.emit(access(cache="miss", reason="storable", stored=True))

    assert tally.stored == 2


def test_the_caches_decisions_need_no_event_of_their_own(tally):
    assert not tally.wants(CacheDecided)
    assert tally.wants(Access)
