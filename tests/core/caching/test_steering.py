import pytest

from sluicegate.core.caching.steering import STEERING, is_steered
from sluicegate.core.http import Origin, RequestHead
from sluicegate.exchange.bodies import BytesBody

ORIGIN = Origin("https", "a.example", 443)


def request(*names, method="GET"):
    return RequestHead(method, ORIGIN, "/", [(name, b"x") for name in names])


@pytest.mark.parametrize("name", sorted(STEERING))
def test_a_field_that_stands_in_for_url_or_method_keeps_the_cache_out(name):
    assert is_steered(request(b"Accept", name.upper()), None)
    assert is_steered(request(name, method="HEAD"), None)


def test_ordinary_requests_are_not_steered():
    assert not is_steered(request(b"Accept", b"X-Forwarded-For", b"Via", b"User-Agent", b"X-Forwarded"), None)


def test_content_keeps_it_out_too_and_none_does_not():
    assert is_steered(request(), BytesBody(b"x"))
    assert is_steered(request(), BytesBody(length=None))
    assert not is_steered(request(), BytesBody(b""))


def test_unsafe_methods_still_invalidate():
    assert not is_steered(request(b"X-Forwarded-Host", method="POST"), BytesBody(b"x"))
