from dataclasses import replace

from sluicegate.core.caching.decisions import CacheOptions
from sluicegate.core.caching.facts import facts_of
from support.cache_policy import NOW, OPTIONS, date, stored
from support.messages import response


def test_rfc9111_4_2_3_time_in_the_cache_counts():
    facts = facts_of(stored(f"{date()}\nAge: 5\nCache-Control: max-age=60"), OPTIONS)

    assert (facts.age(NOW + 10), facts.ttl(NOW + 10)) == (15, 45)


def test_a_clock_set_back_makes_nothing_negative():
    assert facts_of(stored(f"{date()}\nCache-Control: max-age=60"), OPTIONS).age(NOW - 1000) == 0


def test_facts_are_worked_out_once():
    entry = stored("Cache-Control: max-age=60")

    assert facts_of(entry, OPTIONS) is facts_of(entry, OPTIONS)


def test_other_options_make_other_facts():
    entry = stored("Cache-Control: max-age=60, s-maxage=5\nCDN-Cache-Control: max-age=7")

    lifetimes = [
        facts_of(entry, options).lifetime
        for options in (OPTIONS, CacheOptions(shared=False), CacheOptions(targeted=(b"cdn-cache-control",)), OPTIONS)
    ]

    assert lifetimes == [5, 60, 7, 5]


def test_a_freshened_entry_has_facts_of_its_own():
    entry = stored("Cache-Control: max-age=60")
    facts_of(entry, OPTIONS)

    renewed = replace(entry, response=response("Cache-Control: max-age=90"), response_time=NOW + 5)

    assert (facts_of(renewed, OPTIONS).lifetime, facts_of(renewed, OPTIONS).arrived) == (90, NOW + 5)
    assert renewed != entry


def test_facts_make_no_entry_differ_from_another():
    entry, same = stored("Cache-Control: max-age=60"), stored("Cache-Control: max-age=60")
    facts_of(entry, OPTIONS)

    assert entry == same
