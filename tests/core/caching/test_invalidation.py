import pytest

from sluicegate.core.caching.invalidation import invalidated
from support.messages import request, response

URL = "http://example.com/a/b"
"""Always among them; `keys` are the others."""


def keys(headers: str, *, method: str = "POST", status: int = 201) -> list[str]:
    found = invalidated(request(URL, method=method), response(headers, status=status))
    return [key for key in found if key != URL]


@pytest.mark.parametrize("name", ["Location", "Content-Location"])
@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("/c", "http://example.com/c"),
        ("c?x=1", "http://example.com/a/c?x=1"),
        ("http://EXAMPLE.com:80/%63#there", "http://example.com/c"),
        ("http://example.com", "http://example.com/"),
        ("?x", "http://example.com/a/b?x"),
    ],
)
def test_rfc9111_4_4_what_the_response_names_is_invalidated_too(name, reference, key):
    assert keys(f"{name}: {reference}") == [key]


@pytest.mark.parametrize(
    "reference",
    ["http://other.example/c", "https://example.com/c", "http://example.com:8080/c", "http://[::1", "http://a:x/", "b"],
)
def test_rfc9111_4_4_other_origins_the_request_itself_and_nonsense_are_not(reference):
    assert keys(f"Location: {reference}") == []


def test_rfc9111_4_4_only_a_successful_unsafe_request_invalidates():
    assert keys("Location: /c", status=500) == []
    assert keys("Location: /c", method="GET", status=302) == []
    assert keys("Location: /c", status=303) == ["http://example.com/c"]
    assert keys("") == []


def test_rfc9111_4_4_the_resource_itself_is_invalidated():
    assert invalidated(request(URL, method="POST"), response("", status=204)) == [URL]
    assert invalidated(request(URL, method="DELETE"), response("", status=404)) == []


def test_every_key_that_something_may_have_is_invalidated():
    def keys_of(asked):
        return [f"{asked.url} by a rule", asked.url]

    found = invalidated(request(URL, method="POST"), response("Location: /c", status=201), keys_of)

    assert found == sorted([URL, f"{URL} by a rule", "http://example.com/c", "http://example.com/c by a rule"])
