from sluicegate.core.http import Origin
from sluicegate.upstream.shelves import Shelves
from sluicegate.upstream.wire import Wire

FIRST, SECOND = Origin("http", "a.test", 80), Origin("http", "b.test", 80)


def opened(shelves: Shelves, origin: Origin) -> Wire:
    wire = Wire(origin, lambda _: None)
    shelves.add(wire)
    return wire


def test_the_last_one_used_is_taken_first_and_the_first_one_is_the_oldest():
    shelves = Shelves()
    wires = [opened(shelves, origin) for origin in (FIRST, SECOND, FIRST)]
    for wire in wires:
        shelves.put(wire)

    assert (shelves.oldest, shelves.idle) == (wires[0], 3)
    assert [shelves.take(FIRST) for _ in range(3)] == [wires[2], wires[0], None]
    assert (shelves.oldest, shelves.idle) == (wires[1], 1)


def test_an_origin_without_connections_is_forgotten():
    shelves = Shelves()
    waiting, in_use = opened(shelves, FIRST), opened(shelves, FIRST)
    shelves.put(waiting)
    shelves.remove(waiting)
    assert [(shelf.origin, shelf.open, shelf.idle) for shelf in shelves] == [(FIRST, 1, [])]

    shelves.remove(in_use)
    assert list(shelves) == []
    assert shelves.take(FIRST) is None


def test_one_that_does_not_wait_can_be_discarded_all_the_same():
    shelves = Shelves()
    wire = opened(shelves, FIRST)
    shelves.discard(wire)
    shelves.put(wire)
    shelves.discard(wire)

    assert (shelves.idle, shelves.oldest, next(iter(shelves)).open) == (0, None, 1)
