from sluicegate.warming.agenda import Agenda
from sluicegate.warming.lists import Wanted


def wanted(*urls):
    return [Wanted(f"http://{url}", "x") for url in urls]


def take_all(agenda):
    found = []
    while (one := agenda.take()) is not None:
        found.append(one)
    return found


def test_hosts_take_turns_and_each_keeps_its_order():
    agenda = Agenda(wanted("a.example/1", "a.example/2", "a.example/3", "b.example/1"), lambda _host: 9)

    assert [one.url.removeprefix("http://") for one in take_all(agenda)] == [
        "a.example/1",
        "b.example/1",
        "a.example/2",
        "a.example/3",
    ]


def test_a_host_has_no_more_under_way_than_its_bound():
    agenda = Agenda(wanted(*(f"a.example/{n}" for n in range(5))), lambda _host: 2)

    first = take_all(agenda)
    assert len(first) == 2
    agenda.done(first[0])
    assert len(take_all(agenda)) == 1
    agenda.done(first[1])
    assert len(take_all(agenda)) == 1


def test_everything_is_given_out_once():
    everything = wanted(*(f"{host}.example/{n}" for host in "abc" for n in range(7)))
    agenda, found, under_way = Agenda(everything, lambda _host: 2), [], []
    while new := take_all(agenda) or under_way:
        if new is not under_way:
            found += new
            under_way += new
        agenda.done(under_way.pop(0))

    assert sorted(one.url for one in found) == sorted(one.url for one in everything)
