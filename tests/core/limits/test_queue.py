import pytest

from sluicegate.core.limits.queue import FifoQueue


def test_first_come_first_served():
    queue = FifoQueue()
    for item in "abc":
        queue.push(item)

    assert queue.first() == "a"
    assert [queue.take() for _ in range(3)] == ["a", "b", "c"]


def test_one_who_leaves_from_the_middle_is_not_served():
    queue = FifoQueue()
    for item in "abc":
        queue.push(item)

    queue.discard("b")
    queue.discard("never there")

    assert list(queue) == ["a", "c"]
    assert "b" not in queue
    assert len(queue) == 2


def test_an_empty_queue_has_no_next():
    with pytest.raises(KeyError):
        FifoQueue().take()
