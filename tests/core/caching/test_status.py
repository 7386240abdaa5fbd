import http_sf

from sluicegate.core.caching.decisions import Forward, Freshened, Hit, PassOn, Reason, Refuse, Revalidate, Store
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.caching.status import cache_status, hit_ends
from support.messages import request, response

ENTRY = StoredEntry("1", request(), response(), 0, 0)
MISS = Forward(request(), Reason.URI_MISS)
STALE = Revalidate(request(), request(), [ENTRY], Reason.STALE)


def test_rfc9211_a_hit_tells_how_long_it_is_fresh():
    assert cache_status(Hit(ENTRY, response(), 376, Reason.FRESH)) == b"Sluicegate; hit; ttl=376"
    assert cache_status(Hit(ENTRY, response(), -12, Reason.STALE)) == b"Sluicegate; hit; ttl=-12"


def test_rfc9211_a_miss_tells_what_the_origin_said_and_whether_it_was_stored():
    stored = Store(response(), ENTRY, Reason.STORABLE)
    passed = PassOn(response(), Reason.NO_STORE)

    assert cache_status(MISS, stored, status=200) == b"Sluicegate; fwd=uri-miss; fwd-status=200; stored"
    assert cache_status(MISS, passed, status=200) == b"Sluicegate; fwd=uri-miss; fwd-status=200; detail=no-store"


def test_rfc9211_a_validated_response_was_forwarded():
    outcome = Freshened(ENTRY, response(), [ENTRY], 60, Reason.VALIDATED)

    assert cache_status(STALE, outcome, status=304) == b"Sluicegate; fwd=stale; fwd-status=304; stored; ttl=60"


def test_a_collapsed_request_says_so():
    assert cache_status(MISS, collapsed=True) == b"Sluicegate; fwd=uri-miss; collapsed"


def test_a_refusal_was_neither_hit_nor_forwarded():
    assert cache_status(Refuse(response(status=504), Reason.ONLY_IF_CACHED)) == b"Sluicegate; detail=only-if-cached"


def test_rfc9211_2_2_every_reason_has_a_forward_token_and_the_value_is_a_structured_field():
    known = {"bypass", "method", "uri-miss", "vary-miss", "request", "stale", "partial"}
    for reason in Reason:
        value = cache_status(Forward(request(), reason), PassOn(response(), reason), status=200)
        [(name, parameters)] = http_sf.parse(value, tltype="list")
        assert str(name) == "Sluicegate"
        assert str(parameters["fwd"]) in known
        assert str(parameters["detail"]) == reason.token


def test_what_a_rule_of_the_users_own_decided_is_told():
    assert cache_status(Hit(ENTRY, response(), 9, Reason.RULE_TTL)) == b"Sluicegate; hit; ttl=9; detail=rule-ttl"
    stored = Store(response(), ENTRY, Reason.RULE_STORE)
    assert cache_status(MISS, stored, status=200).endswith(b"; stored; detail=rule-store")


def test_rfc9211_2_8_a_key_that_a_rule_made_is_told_as_a_string():
    for key in ("http://a.example/?b=1", 'http://a.example/"\\', "http://a.example/\xe9\udc80"):
        value = cache_status(MISS, status=200, key=key)
        [(_, parameters)] = http_sf.parse(value, tltype="list")
        told = str(parameters["key"])
        assert told == key if key.isascii() else told.startswith("http://a.example/%C3%A9%")

    assert cache_status(MISS, key="http://a.example/" + "a" * 2000) == b"Sluicegate; fwd=uri-miss"


def test_the_end_of_a_hit_is_what_its_whole_member_ends_with():
    for reason in (Reason.FRESH, Reason.RULE_TTL):
        for key in (None, "http://a.example/"):
            assert cache_status(Hit(ENTRY, response(), 9, reason), key=key) == (
                b"Sluicegate; hit; ttl=9" + hit_ends(reason, key)
            )
