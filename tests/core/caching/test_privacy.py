import pytest

from sluicegate.core.caching import policy
from sluicegate.core.caching.decisions import CacheOptions, Forward, Hit, PassOn, Reason, Store
from sluicegate.core.http import Origin, RequestHead, ResponseHead

NOW = 1_800_000_000.0
ORIGIN = Origin("https", "a.example", 443)
SEVERAL = CacheOptions(several=True)
ALONE = CacheOptions()
PRIVATE = CacheOptions(shared=False)

COOKIE = (b"Cookie", b"session=1")
BASIC = (b"Authorization", b"Basic YTpi")
SET = (b"Set-Cookie", b"session=1")
OLD = (b"Last-Modified", b"Fri, 14 Jul 2017 02:40:00 GMT")
TAG = (b"ETag", b'"1"')


def says(value):
    return (b"Cache-Control", value.encode())


def request(*fields):
    return RequestHead("GET", ORIGIN, "/x", list(fields))


def judged(options, response_fields, *request_fields, status=200):
    plan = policy.look_up(request(*request_fields), [], options, NOW)
    response = ResponseHead(status, b"", list(response_fields))
    return policy.judge(plan, response, options, request_time=NOW, response_time=NOW)


KEPT_FROM_OTHERS = {
    "set-cookie-max-age": ([says("max-age=60"), SET], ()),
    "set-cookie-heuristic": ([OLD, SET], ()),
    "set-cookie-etag": ([TAG, SET], ()),
    "set-cookie-no-cache": ([says("no-cache"), TAG, SET], ()),
    "cookie-heuristic": ([OLD], (COOKIE,)),
    "cookie-etag": ([TAG], (COOKIE,)),
    "cookie-never-fresh": ([says("max-age=0"), TAG], (COOKIE,)),
    "authorization-must-revalidate-heuristic": ([says("must-revalidate"), OLD], (BASIC,)),
}


@pytest.mark.parametrize("name", KEPT_FROM_OTHERS)
def test_what_may_be_one_persons_own_is_not_kept_for_several(name):
    fields, asked_with = KEPT_FROM_OTHERS[name]

    outcome = judged(SEVERAL, fields, *asked_with)

    assert isinstance(outcome, PassOn)
    assert outcome.reason in {Reason.SEVERAL_USERS, Reason.SET_COOKIE}


KEPT_FOR_ALL = {
    "nothing-personal": ([says("max-age=60")], ()),
    "heuristic": ([OLD], ()),
    "public-set-cookie": ([says("public, max-age=60"), SET], ()),
    "s-maxage-set-cookie": ([says("s-maxage=60"), SET], ()),
    "set-cookie-left-out": ([says('max-age=60, private="Set-Cookie"'), SET], ()),
    "cookie-max-age": ([says("max-age=60")], (COOKIE,)),
    "cookie-named-by-vary": ([OLD, (b"Vary", b"Cookie")], (COOKIE,)),
    "cookie-no-cache": ([says("no-cache"), TAG], (COOKIE,)),
    "cookie-public": ([says("public"), OLD], (COOKIE,)),
    "authorization-s-maxage": ([says("s-maxage=60")], (BASIC,)),
}


@pytest.mark.parametrize("name", KEPT_FOR_ALL)
def test_what_is_said_to_be_for_all_is_kept(name):
    fields, asked_with = KEPT_FOR_ALL[name]

    assert isinstance(judged(SEVERAL, fields, *asked_with), Store)


@pytest.mark.parametrize("status", [400, 403, 405, 414, 500, 501, 503])
def test_an_error_that_one_request_may_have_provoked_is_not_kept_for_several(status):
    outcome = judged(SEVERAL, [says("public, max-age=60")], status=status)

    assert isinstance(outcome, PassOn)
    assert outcome.reason is Reason.SEVERAL_USERS


@pytest.mark.parametrize("status", [404, 410, 451])
def test_one_that_everybody_meets_is(status):
    assert isinstance(judged(SEVERAL, [says("max-age=60")], status=status), Store)


@pytest.mark.parametrize("name", ["set-cookie-max-age", "cookie-heuristic"])
def test_rfc9111_a_cache_for_one_persons_programs_goes_by_the_rfc_alone(name):
    fields, asked_with = KEPT_FROM_OTHERS[name]

    assert isinstance(judged(ALONE, fields, *asked_with), Store)


def stored(options, fields, *asked_with):
    outcome = judged(options, fields, *asked_with)
    assert isinstance(outcome, Store)
    outcome.entry.id = "1"
    outcome.entry.body_length = 4
    return outcome.entry


@pytest.mark.parametrize(
    "fields", [[says("private, max-age=60")], [says("max-age=60")], [says("public, max-age=60"), TAG]]
)
def test_what_a_private_cache_kept_is_for_no_shared_one(fields):
    entry = stored(PRIVATE, fields, COOKIE, BASIC)

    assert isinstance(policy.look_up(request(COOKIE, BASIC), [entry], PRIVATE, NOW), Hit)
    for options in (ALONE, SEVERAL):
        found = policy.look_up(request(COOKIE, BASIC), [entry], options, NOW)
        assert isinstance(found, Forward), "neither used nor asked about: a 304 would bring it back"
        assert all(name.lower() != b"if-none-match" for name, _ in found.request.fields)


def test_what_a_shared_cache_kept_is_for_a_private_one_too():
    entry = stored(ALONE, [says("max-age=60")])

    assert isinstance(policy.look_up(request(), [entry], PRIVATE, NOW), Hit)


@pytest.mark.parametrize("name", ["set-cookie-max-age", "cookie-heuristic"])
def test_what_was_kept_for_one_is_judged_anew_when_others_come(name):
    fields, asked_with = KEPT_FROM_OTHERS[name]
    entry = stored(ALONE, fields, *asked_with)

    assert isinstance(policy.look_up(request(), [entry], ALONE, NOW), Hit)
    assert not isinstance(policy.look_up(request(), [entry], SEVERAL, NOW), Hit)
