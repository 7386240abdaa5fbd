import pytest

from sluicegate.gate.host import Host
from sluicegate.gate.slots import EVERYWHERE, Place, Slots
from support.gatekit import limit


class Turn:
    def __init__(self, host):
        self.host = host
        self.place = Place.OUTSIDE
        self.roused = 0

    def rouse(self):
        self.roused += 1


@pytest.fixture
def host():
    return Host("a", limit(concurrency=2))


def joined(slots, host, count):
    turns = [Turn(host) for _ in range(count)]
    for turn in turns:
        slots.join(turn)
    return turns


def places(turns):
    return [turn.place for turn in turns]


def test_slots_are_given_in_order_and_the_rest_queue(host):
    slots = Slots(10)

    turns = joined(slots, host, 4)

    assert places(turns) == [Place.INSIDE, Place.INSIDE, Place.QUEUED, Place.QUEUED]
    assert slots.in_flight == host.in_flight == 2


def test_one_who_leaves_makes_room_for_the_next_and_rouses_it(host):
    slots = Slots(10)
    turns = joined(slots, host, 4)

    slots.leave(turns[0])
    slots.leave(turns[0])

    assert places(turns) == [Place.GONE, Place.INSIDE, Place.INSIDE, Place.QUEUED]
    assert turns[2].roused == 1
    assert slots.in_flight == 2


def test_without_a_global_slot_the_lobby_fills_host_by_host():
    slots = Slots(1)
    hosts = [Host(key, limit(concurrency=1)) for key in "ab"]
    turns = [turn for host in hosts for turn in joined(slots, host, 2)]
    assert places(turns) == [Place.INSIDE, Place.QUEUED, Place.LOBBY, Place.QUEUED]
    assert slots.lobby(hosts[1]) == [turns[2]]

    slots.leave(turns[0])
    assert places(turns) == [Place.GONE, Place.LOBBY, Place.INSIDE, Place.QUEUED]


@pytest.mark.parametrize("leaver", range(4))
def test_leaving_from_any_place_gives_back_what_was_held(leaver):
    slots = Slots(1)
    hosts = [Host(key, limit(concurrency=1)) for key in "ab"]
    turns = [turn for host in hosts for turn in joined(slots, host, 2)]

    slots.leave(turns[leaver])
    for turn in turns:
        slots.leave(turn)

    assert slots.in_flight == 0
    assert [host.in_flight for host in hosts] == [0, 0]
    assert [len(host.queue) for host in hosts] == [0, 0]
    assert places(joined(slots, hosts[0], 1)) == [Place.INSIDE]


def test_a_higher_concurrency_lets_in_as_many_at_once(host):
    slots = Slots(10)
    turns = joined(slots, host, 6)

    host.limit = limit(concurrency=5)
    slots.assign(host)

    assert places(turns) == [Place.INSIDE] * 5 + [Place.QUEUED]


class Shared:
    """Slots of which other processes hold some."""

    def __init__(self):
        self.others = {}
        self.held = {}
        self.asked = 0

    def acquire(self, name, bound):
        self.asked += 1
        if self.held.get(name, 0) + self.others.get(name, 0) >= bound:
            return False
        self.held[name] = self.held.get(name, 0) + 1
        return True

    def release(self, name):
        self.held[name] -= 1

    def close(self):
        pass


class Later:
    """Calls that are due some time."""

    def __init__(self):
        self.calls = []
        self.delays = []

    def __call__(self, delay_s, call):
        self.delays.append(delay_s)
        self.calls.append(call)

    def run(self):
        due, self.calls = self.calls, []
        for call in due:
            call()


@pytest.mark.parametrize(("name", "waits"), [("a", Place.QUEUED), (EVERYWHERE, Place.LOBBY)])
def test_what_other_processes_hold_is_waited_for_and_asked_for_again(host, name, waits):
    shared, later = Shared(), Later()
    slots = Slots(2, shared, later)
    shared.others[name] = 1

    turns = joined(slots, host, 2)
    assert places(turns) == [Place.INSIDE, waits]
    for _ in range(5):
        later.run()
    assert turns[1].roused == 0
    assert later.delays == [0.002, 0.004, 0.008, 0.008, 0.008, 0.008]

    shared.others[name] = 0
    later.run()
    assert places(turns) == [Place.INSIDE, Place.INSIDE]
    assert turns[1].roused == 1
    assert later.calls == []


def test_shared_slots_are_all_given_back(host):
    shared, later = Shared(), Later()
    slots = Slots(1, shared, later)

    turns = joined(slots, host, 4)
    assert shared.held == {"a": 2, EVERYWHERE: 1}
    for turn in turns:
        slots.leave(turn)
        slots.leave(turn)

    assert shared.held == {"a": 0, EVERYWHERE: 0}


def test_one_who_left_while_it_waited_is_not_asked_for_any_more(host):
    shared, later = Shared(), Later()
    slots = Slots(9, shared, later)
    shared.others["a"] = 2
    (turn,) = joined(slots, host, 1)

    slots.leave(turn)
    later.run()

    assert shared.asked == 1
    assert later.calls == []
