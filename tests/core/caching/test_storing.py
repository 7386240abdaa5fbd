import pytest

from sluicegate.core.caching.decisions import CacheOptions, Reason
from sluicegate.core.caching.storing import obeyed_control, refusal
from support.messages import request, response

NOW = 1_800_000_000.0


def why(headers: str, *, asked: str = "", method: str = "GET", status: int = 200, shared: bool = True) -> Reason | None:
    head, options = response(headers, status=status), CacheOptions(shared=shared)
    return refusal(request(headers=asked, method=method), head, obeyed_control(head, options), options, NOW)


def test_a_response_that_is_fresh_or_can_be_validated_may_be_stored():
    assert why("Cache-Control: max-age=60") is None
    assert why('ETag: "a"') is None
    assert why("Cache-Control: max-age=60", status=599) is None


def test_rfc9111_3_what_can_never_be_reused_is_not_stored():
    assert why("") is Reason.NO_USE
    assert why("Cache-Control: max-age=0") is Reason.NO_USE


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ("Cache-Control: no-store, max-age=60", Reason.NO_STORE),
        ("Cache-Control: no-cache=Foo,no-store,max-age=60", Reason.NO_STORE),
        ("Cache-Control: private, max-age=60", Reason.PRIVATE),
        ("Cache-Control: max-age=60\nVary: Foo, *", Reason.VARIES_ALWAYS),
    ],
)
def test_what_the_response_forbids(headers, reason):
    assert why(headers) is reason


def test_rfc9111_5_2_2_7_private_is_for_shared_caches():
    assert why("Cache-Control: private, max-age=60", shared=False) is None
    assert why('Cache-Control: private="Foo", max-age=60') is None


def test_rfc9111_5_2_1_5_the_client_may_forbid_storing():
    assert why("Cache-Control: max-age=60", asked="Cache-Control: no-store") is Reason.REQUEST_NO_STORE


@pytest.mark.parametrize("status", [101, 206, 304])
def test_a_response_that_is_no_whole_one_is_not_stored(status):
    assert why("Cache-Control: max-age=60", status=status) is Reason.NOT_UNDERSTOOD


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS"])
def test_only_what_get_brings_is_stored(method):
    assert why("Cache-Control: max-age=60", method=method) is Reason.METHOD


@pytest.mark.parametrize("allows", ["public", "s-maxage=60", "must-revalidate"])
def test_rfc9111_3_5_an_authorized_response_needs_leave_to_be_stored_in_a_shared_cache(allows):
    asked = "Authorization: Basic x"

    assert why("Cache-Control: max-age=60", asked=asked) is Reason.AUTHORIZATION
    assert why("Cache-Control: max-age=60", asked=asked, shared=False) is None
    assert why(f"Cache-Control: max-age=60, {allows}", asked=asked) is None


def test_rfc9111_5_2_2_3_must_understand_annuls_no_store_for_a_status_that_is_understood():
    headers = "Cache-Control: must-understand, no-store, max-age=60"

    assert why(headers) is None
    assert why(headers, status=599) is Reason.NOT_UNDERSTOOD
    assert why("Cache-Control: must-understand, max-age=60", status=599) is Reason.NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("headers", "shared"),
    [
        ("Cache-Control: public", True),
        ("Cache-Control: max-age=60", True),
        ("Cache-Control: s-maxage=60", True),
        ("Cache-Control: private", False),
        ("Expires: Fri, 15 Jan 2027 08:00:00 GMT", True),
        ("Expires: 0", True),
    ],
)
def test_rfc9111_3_a_status_that_is_not_cacheable_by_itself_needs_the_responses_leave(headers, shared):
    assert why(headers + '\nETag: "a"', status=302, shared=shared) is None
    assert why('ETag: "a"', status=302, shared=shared) is Reason.NOTHING_ALLOWS_STORING
    assert why('Cache-Control: no-cache\nETag: "a"', status=302, shared=shared) is Reason.NOTHING_ALLOWS_STORING


def test_rfc9111_3_s_maxage_says_nothing_to_a_private_cache():
    headers = 'Cache-Control: s-maxage=60\nETag: "a"'

    assert why(headers, status=302, shared=False) is Reason.NOTHING_ALLOWS_STORING
