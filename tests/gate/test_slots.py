import pytest

from sluicegate.gate.host import Host
from sluicegate.gate.slots import Place, Slots
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
