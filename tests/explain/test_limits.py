from sluicegate.core.limits.model import Limit, Rate
from sluicegate.explain.limits import limit_view

LIMIT = Limit("*.example.org", (Rate(1.0, 5), Rate(3600.0, 1000)), concurrency=2, max_wait_s=60)


def test_a_limit_is_told_as_it_is_configured():
    found = limit_view(LIMIT, "api.example.org", 0.0)

    assert (found.name, found.counted_for) == ("*.example.org", "api.example.org")
    assert (found.rates, found.concurrency) == (["5/second", "1000/hour"], 2)
    assert not found.refused


def test_a_wait_over_max_wait_is_a_refusal():
    assert limit_view(LIMIT, "a", 60.5).refused
    assert not limit_view(LIMIT, "a", 59.5).refused


def test_a_wait_that_nobody_knows_refuses_nothing():
    found = limit_view(LIMIT, "a", None)

    assert (found.wait_s, found.refused) == (None, False)
