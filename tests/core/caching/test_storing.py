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


HERE = "Content-Location: http://example.com/a"


@pytest.mark.parametrize("location", [HERE, "Content-Location: /a", "Content-Location: http://EXAMPLE.com:80/b/../a"])
def test_rfc9110_9_3_3_the_answer_to_a_post_is_stored_if_it_says_that_it_is_what_a_get_gets(location):
    assert why(f"Cache-Control: max-age=60\n{location}", method="POST") is None
    assert (
        why(f"Date: Fri, 15 Jan 2027 08:00:00 GMT\nExpires: Fri, 15 Jan 2027 09:00:00 GMT\n{location}", method="POST")
        is None
    )


@pytest.mark.parametrize(
    ("headers", "method", "status", "reason"),
    [
        ("Cache-Control: max-age=60", "POST", 200, Reason.METHOD),
        ("Cache-Control: max-age=60\nContent-Location: /b", "POST", 200, Reason.METHOD),
        ("Cache-Control: max-age=60\nContent-Location: http://other.example/a", "POST", 200, Reason.METHOD),
        ("Cache-Control: max-age=60\nContent-Location: /a\nContent-Location: /a", "POST", 200, Reason.METHOD),
        (f"Cache-Control: max-age=60\n{HERE}", "POST", 201, Reason.METHOD),
        (f"Cache-Control: max-age=60\n{HERE}", "PUT", 200, Reason.METHOD),
        (f"Cache-Control: max-age=60, private\n{HERE}", "POST", 200, Reason.PRIVATE),
        (f"Cache-Control: max-age=0\nETag: x\n{HERE}", "POST", 200, Reason.NOTHING_ALLOWS_STORING),
        (f"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\n{HERE}", "POST", 200, Reason.NOTHING_ALLOWS_STORING),
    ],
)
def test_rfc9110_9_3_3_any_other_answer_to_a_post_is_not(headers, method, status, reason):
    assert why(headers, method=method, status=status) is reason


@pytest.mark.parametrize(
    ("headers", "shared", "reason"),
    [
        ("Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", True, Reason.SET_COOKIE),
        ('Cache-Control: no-cache\nETag: "a"', True, Reason.SET_COOKIE),
        ('Cache-Control: max-age=0\nETag: "a"', True, Reason.SET_COOKIE),
        ('ETag: "a"', False, None),
        ("Cache-Control: max-age=60", True, None),
        ('Cache-Control: public\nETag: "a"', True, None),
        ('Cache-Control: no-cache="Set-Cookie"\nETag: "a"', True, None),
        ('Cache-Control: private="set-cookie"\nETag: "a"', True, None),
    ],
)
def test_rfc9111_7_3_a_cookie_is_shared_only_where_the_response_says_for_how_long(headers, shared, reason):
    assert why(f"{headers}\nSet-Cookie: session=1", shared=shared) is reason
