"""The behaviour that pyrate-limiter expects of a bucket."""

import pytest
from pyrate_limiter import Rate, RateItem

from sluicegate.clock import ManualClock
from sluicegate.core.limits.model import Limit
from sluicegate.core.limits.rates import parse_rates
from sluicegate.stores.permits.bucket import SqliteBucket
from sluicegate.stores.permits.file import PermitFile
from sluicegate.stores.permits.sqlite import FILE_NAME, SqlitePermitStore


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def file(tmp_path, clock):
    file = PermitFile(tmp_path / FILE_NAME, clock)
    yield file
    file.close()


def bucket_of(file, clock, *rates, key="host"):
    return SqliteBucket([Rate(*rate) for rate in rates], file, key, clock)


def test_put_fills_the_bucket_and_names_the_rate_that_fails(file, clock):
    bucket = bucket_of(file, clock, (3, 1_000), (5, 10_000))

    assert [bucket.put(RateItem("x", bucket.now())) for _ in range(4)] == [True, True, True, False]
    assert bucket.failing_rate is bucket.rates[0]
    assert bucket.count() == 3


async def test_waiting_tells_when_the_next_put_succeeds(file, clock):
    bucket = bucket_of(file, clock, (2, 1_000))
    bucket.put(RateItem("x", bucket.now()))
    await clock.advance(0.4)
    bucket.put(RateItem("x", bucket.now()))
    item = RateItem("x", bucket.now())
    assert not bucket.put(item)
    assert bucket.waiting(item) == 601

    await clock.advance(0.6)
    assert not bucket.put(RateItem("x", bucket.now()))
    await clock.advance(0.001)
    assert bucket.put(RateItem("x", bucket.now()))
    assert bucket.waiting(RateItem("x", bucket.now())) == 0


def test_an_item_of_weight_takes_as_much_room(file, clock):
    bucket = bucket_of(file, clock, (5, 1_000))

    assert bucket.put(RateItem("x", bucket.now(), weight=3))
    assert not bucket.put(RateItem("x", bucket.now(), weight=3))
    assert bucket.put(RateItem("x", bucket.now(), weight=2))
    assert bucket.put(RateItem("x", bucket.now(), weight=0))
    assert bucket.count() == 5


def test_what_can_never_fit_waits_for_ever(file, clock):
    bucket = bucket_of(file, clock, (5, 1_000))
    item = RateItem("x", bucket.now(), weight=6)

    assert not bucket.put(item)
    assert bucket.waiting(item) == -1
    assert bucket.count() == 0


async def test_leak_removes_what_has_expired(file, clock):
    bucket = bucket_of(file, clock, (5, 1_000))
    for _ in range(3):
        bucket.put(RateItem("x", bucket.now()))
    await clock.advance(2)
    bucket.put(RateItem("x", bucket.now()))

    assert bucket.leak(bucket.now()) == 3
    assert bucket.leak() == 0
    assert bucket.count() == 1


async def test_peek_looks_back_from_the_newest(file, clock):
    bucket = bucket_of(file, clock, (5, 1_000))
    first = bucket.now()
    bucket.put(RateItem("x", first))
    await clock.advance(0.25)
    bucket.put(RateItem("x", bucket.now()))

    assert [bucket.peek(index).timestamp for index in (0, 1)] == [first + 250, first]
    assert bucket.peek(2) is None


def test_flush_empties_it(file, clock):
    bucket = bucket_of(file, clock, (1, 1_000))
    bucket.put(RateItem("x", bucket.now()))
    bucket.put(RateItem("x", bucket.now()))

    bucket.flush()

    assert bucket.failing_rate is None
    assert bucket.count() == 0
    assert bucket.put(RateItem("x", bucket.now()))


def test_buckets_of_one_file_are_apart(file, clock):
    buckets = [bucket_of(file, clock, (1, 1_000), key=key) for key in "ab"]

    assert [bucket.put(RateItem("x", bucket.now())) for bucket in buckets] == [True, True]


async def test_a_bucket_and_the_limiter_count_together(file, clock, tmp_path):
    bucket = bucket_of(file, clock, (5, 1_000))
    store = SqlitePermitStore(tmp_path, clock)
    limit = Limit("five", parse_rates("5/second"))
    for _ in range(3):
        bucket.put(RateItem("x", bucket.now()))

    assert [(await store.take("host", limit, queued=False)).admitted for _ in range(3)] == [True, True, False]
    await store.aclose()
