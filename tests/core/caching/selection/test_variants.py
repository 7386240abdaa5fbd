import pytest

from sluicegate.core.caching.decisions import Again, Forward, Freshened, Hit, Reason, Revalidate, Store
from sluicegate.core.caching.policy import look_up
from sluicegate.core.caching.selection.variants import MAX_ASKED, confirmed, worth_asking
from sluicegate.core.http import get, get_all
from support.cache_policy import FRESH, NOW, OPTIONS, judged, stored
from support.messages import request, response


def variant(name: str, headers: str | None = None, *, at: float = NOW, encoding: str = ""):
    told = f'ETag: "{name}"' if headers is None else headers
    asked = request(headers=f"Kind: {name}\nAccept-Encoding: {encoding}")
    return stored(f"{FRESH}\nVary: Kind\n{told}", name, asked=asked, at=at)


def asked(entries, headers: str = "Kind: new"):
    return look_up(request(headers=headers), entries, OPTIONS, NOW)


def test_rfc9111_4_1_who_selects_no_variant_asks_which_one_to_send():
    plan = asked([variant("a"), variant("b", at=NOW - 5)])

    assert isinstance(plan, Revalidate)
    assert (plan.reason, plan.candidates) == (Reason.VARY_MISS, [])
    assert get_all(plan.request.fields, b"if-none-match") == [b'"a", "b"']
    assert get(plan.request.fields, b"if-modified-since") is None
    assert plan.original.fields == request(headers="Kind: new").fields


@pytest.mark.parametrize("told", ['ETag: W/"a"', "ETag: a", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"])
def test_only_strong_tags_tell_variants_apart(told):
    plan = asked([variant("a", told)])

    assert isinstance(plan, Forward)
    assert plan.reason is Reason.VARY_MISS


def test_a_client_with_conditions_of_its_own_asks_the_origin_itself():
    plan = asked([variant("a")], 'Kind: new\nIf-None-Match: "mine"')

    assert isinstance(plan, Forward)
    assert get(plan.request.fields, b"if-none-match") == b'"mine"'


def test_a_coding_that_the_client_does_not_name_is_not_asked_about():
    packed = variant("a", 'ETag: "a"\nContent-Encoding: gzip')

    assert worth_asking(request(), [packed], []) == []
    assert worth_asking(request(headers="Accept-Encoding: gzip;q=0"), [packed], []) == []
    assert worth_asking(request(headers="Accept-Encoding: br, gzip"), [packed], []) == [packed]


def test_a_request_asks_about_the_latest_few():
    many = [variant(f"{number:02}", at=NOW - number) for number in range(100)]

    assert worth_asking(request(), list(reversed(many)), []) == many[:MAX_ASKED]


def test_what_is_selected_is_asked_about_alone():
    stale = stored('Cache-Control: no-cache\nVary: Kind\nETag: "mine"', "mine", asked=request(headers="Kind: new"))

    plan = asked([stale, variant("a")])

    assert isinstance(plan, Revalidate)
    assert get(plan.request.fields, b"if-none-match") == b'"mine"'


def test_rfc9111_4_3_4_the_variant_that_the_304_names_answers_now_and_later():
    entries = [variant("a"), variant("b")]
    plan = asked(entries)

    outcome = judged(plan, response('ETag: "b"\nFoo: new', status=304))

    assert isinstance(outcome, Freshened)
    assert (outcome.entry.id, outcome.head.status, outcome.remove) == ("b", 200, [])
    assert get(outcome.head.fields, b"foo") == b"new"
    [update] = outcome.updates
    for kind, hit in (("new", True), ("b", True), ("other", False)):
        assert isinstance(asked([update], f"Kind: {kind}"), Hit) is hit


def test_a_304_that_names_none_of_them_is_asked_again_without_conditions():
    plan = asked([variant("a"), variant("b")])

    for told in ('ETag: "c"', 'ETag: W/"a"', ""):
        outcome = judged(plan, response(told, status=304))
        assert isinstance(outcome, Again)
        assert get(outcome.forward.request.fields, b"if-none-match") is None
        assert outcome.remove == []


def test_a_304_without_a_tag_is_about_the_only_one_that_was_asked_about():
    entry = variant("a")

    assert confirmed(response(status=304), [entry]) is entry
    assert confirmed(response(status=304), [entry, variant("b")]) is None


def test_a_new_response_is_stored_beside_the_others():
    outcome = judged(asked([variant("a")]), response(f'{FRESH}\nVary: Kind\nETag: "new"'))

    assert isinstance(outcome, Store)
    assert (outcome.remove, outcome.reason) == ([], Reason.STORABLE)
