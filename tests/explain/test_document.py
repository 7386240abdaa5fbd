import json

from sluicegate.core.access import AccessPolicy
from sluicegate.core.caching.rules.rule_set import RuleSet
from sluicegate.core.interception import Interception
from sluicegate.core.limits.model import Limit
from sluicegate.explain.decision import view
from sluicegate.explain.document import Explanation, route
from sluicegate.explain.limits import limit_view
from support.cache_policy import NOW, OPTIONS
from support.messages import request

OPEN = AccessPolicy()
GUARDED = AccessPolicy(allow_private=False)


def test_https_is_intercepted_or_tunneled_and_plain_http_neither():
    interception = Interception(tunnel=("*.bank.example",))

    assert route("a.example", "https", interception, OPEN).https == "intercept"
    assert route("www.bank.example", "https", interception, OPEN).https == "tunnel"
    assert route("www.bank.example", "http", interception, OPEN).https is None


def test_a_destination_that_access_forbids_is_told_with_what_to_do():
    found = route("127.0.0.1", "http", Interception(), GUARDED)

    assert "127.0.0.1" in found.forbidden
    assert "access.allow_private" in found.advice


def test_a_name_may_still_lead_to_a_forbidden_address():
    found = route("example.org", "http", Interception(), GUARDED)

    assert (found.forbidden, found.guarded) == (None, True)


def test_the_document_is_plain_json():
    explanation = Explanation(
        method="GET",
        url="http://example.com/a",
        fields=[],
        mode="shared",
        store="disk",
        route=route("example.com", "http", Interception(), OPEN),
        cache=view(request(), [], RuleSet(OPTIONS), NOW),
        limit=limit_view(Limit("default"), "example.com", 0.0),
    )

    document = json.loads(json.dumps(explanation.document()))

    assert document["version"] == 1
    assert document["cache"]["decision"]["action"] == "forward"
    assert document["fetched"] is None
