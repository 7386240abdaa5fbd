from sluicegate.gate.host import Host
from support.gatekit import limit


def test_a_host_is_closed_when_its_slots_are_taken():
    host = Host("a", limit(concurrency=2), in_flight=2)

    assert not host.open


def test_few_are_let_in_while_others_wait_for_the_rate():
    host = Host("a", limit("10/second", concurrency=100))
    let_in = 0
    while host.open:
        host.line.push(let_in)
        let_in += 1

    assert let_in == 5


def test_one_is_always_let_in():
    host = Host("a", limit("1/hour"))
    assert host.open

    host.line.push("turn")
    assert not host.open


def test_without_rates_only_concurrency_closes_it():
    host = Host("a", limit(concurrency=2), in_flight=1)
    host.line.push("turn")

    assert host.open


def test_few_are_let_in_while_those_before_them_still_connect():
    host = Host("a", limit("10/second", concurrency=100))
    while host.open:
        host.arriving += 1

    assert host.arriving == 15


def test_one_that_is_slow_to_connect_does_not_stop_the_next_even_at_a_slow_rate():
    assert Host("a", limit("1/hour"), arriving=1).open
    assert not Host("a", limit("1/hour"), arriving=2).open
