import json

from sluicegate.errors import DestinationForbidden, WaitTooLong
from sluicegate.exchange.problems import problem


def field(answer, name):
    return next(value.decode() for key, value in answer.fields if key.lower() == name.encode())


def test_a_refusal_of_the_limiter_says_which_limit_how_long_and_what_to_do():
    error = WaitTooLong("Too long.", limit="api.example.com", retry_after_s=41.2, advice="Come back later.")
    answer = problem(error, "r-1")
    document = json.loads(answer.body.content)

    assert answer.head.status == 429
    assert answer.head.reason == b"Too Many Requests"
    assert field(answer, "retry-after") == "42"
    assert field(answer, "content-type") == "application/problem+json"
    assert field(answer, "cache-control") == "no-store"
    assert document == {
        "type": "urn:sluicegate:problem:WaitTooLong",
        "title": error.title,
        "status": 429,
        "detail": "Too long.",
        "limit": "api.example.com",
        "retry_after_s": 41.2,
        "request_id": "r-1",
        "advice": "Come back later.",
    }


def test_rfc9209_details_are_a_valid_string_whatever_they_quote():
    answer = problem(DestinationForbidden('a "quoted" \\ path\r\nX-Injected: 1 \u00e4'), "r-1", "gate")

    assert field(answer, "proxy-status") == (
        'gate; error=destination_ip_prohibited; details="a \\"quoted\\" \\\\ path  X-Injected: 1  "'
    )
