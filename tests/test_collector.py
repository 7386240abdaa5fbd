import gc
import weakref

import pytest

from sluicegate import collector


@pytest.fixture(autouse=True)
def as_before():
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.callbacks.remove(collector._put_aside)


class Circle:
    def __init__(self):
        self.itself = self


def test_what_stays_is_put_aside_and_not_looked_at_again():
    collector.rest()
    before = gc.get_freeze_count()
    kept = [Circle() for _ in range(1000)]
    gc.collect(1)

    assert gc.get_freeze_count() >= before + len(kept)
    assert gc.get_count()[2] == 0


def test_circles_that_were_put_aside_are_found_by_a_sweep():
    collector.rest()
    circle = Circle()
    gone = weakref.ref(circle)
    gc.collect(1)
    del circle
    gc.collect()
    assert gone() is not None
    collector.sweep()

    assert gone() is None


def test_resting_twice_is_resting_once():
    collector.rest()
    collector.rest()

    assert gc.callbacks.count(collector._put_aside) == 1
