"""The reference itself: it accepts what RFC 9111 allows and notices each kind of fault."""

import pytest

from model.reference import Asked, Done, Reference, Reply, Sent, Violation
from model.rfc import Fields, date_text

NOW = 1_800_000_000
URL = "http://a.test/x"
FRESH = "Cache-Control: max-age=60"


def fields(text: str) -> Fields:
    return [(name, value) for name, value in (line.split(": ", 1) for line in text.splitlines())]


def fetched(
    told: str = FRESH, asked: str = "", *, serial: str = "s1", method: str = "GET", url: str = URL, stored: str = "s1"
) -> Done:
    """A request that reached the origin, whose answer was passed on."""
    head = [*fields(told), ("Date", date_text(NOW)), ("X-Serial", serial), ("X-Mark", serial)]
    reply = Reply(200, head, b"content")
    sent = Sent(fields(asked), reply, NOW, NOW)
    return Done(Asked(method, url, fields(asked)), NOW, [sent], reply, NOW, set(stored.split()))


def reused(
    told: str = FRESH,
    asked: str = "",
    *,
    at: int = 10,
    age: int = 10,
    url: str = URL,
    status: int = 200,
    body: bytes = b"content",
    method: str = "GET",
) -> Done:
    """A request that was answered from the store."""
    head = [*fields(told), ("Date", date_text(NOW)), ("X-Serial", "s1"), ("X-Mark", "s1"), ("Age", f"{age}")]
    answer = Reply(status, head, body)
    return Done(Asked(method, url, fields(asked)), NOW + at, [], answer, NOW + at, {"s1"})


def validated(news: str, *, sent: str = 'If-None-Match: "a"', told: str = 'ETag: "a"', at: int = 100) -> Done:
    """A request that was answered with what a 304 validated."""
    date = ("Date", date_text(NOW + at))
    reply = Reply(304, [*fields(news), date, ("X-Mark", "m2")], b"")
    head = [*fields(told), date, ("X-Serial", "s1"), ("X-Mark", "m2"), ("Age", "0")]
    asked = Asked("GET", URL, [])
    return Done(
        asked, NOW + at, [Sent(fields(sent), reply, NOW + at, NOW + at)], Reply(200, head, b"content"), NOW + at, {"s1"}
    )


TAGGED = f'{FRESH}\nETag: "a"'

ALLOWED = {
    "fresh": (fetched(), reused()),
    "fresh to the end": (fetched(), reused(at=59, age=59)),
    "stale, and the client takes it": (fetched(), reused(asked="Cache-Control: max-stale=40", at=99, age=99)),
    "the same variant": (
        fetched(f"{FRESH}\nVary: X-Kind", "X-Kind: p"),
        reused(f"{FRESH}\nVary: X-Kind", "X-Kind: p"),
    ),
    "the client has it": (fetched(TAGGED), reused(TAGGED, 'If-None-Match: W/"a"', status=304, body=b"")),
    "HEAD": (fetched(), reused(method="HEAD", body=b"")),
    "validated": (fetched(TAGGED), validated(TAGGED, told=TAGGED)),
    "asked again once stale": (fetched("Cache-Control: max-age=0"), fetched("Cache-Control: max-age=0")),
}
FAULTS = {
    "(§4.2.4)": (fetched(), reused(at=60, age=60)),
    "forbids that": (
        fetched(f"{FRESH}, must-revalidate"),
        reused(f"{FRESH}, must-revalidate", "Cache-Control: max-stale", at=99, age=99),
    ),
    "§4.2.3": (fetched(), reused(age=9)),
    "another variant": (
        fetched(f"{FRESH}\nVary: X-Kind", "X-Kind: p"),
        reused(f"{FRESH}\nVary: X-Kind", "X-Kind: q"),
    ),
    "§5.2.2.4": (fetched(f"{FRESH}, no-cache"), reused(f"{FRESH}, no-cache")),
    "§5.2.1.4": (fetched(), reused(asked="Pragma: no-cache")),
    "§5.2.1.1": (fetched(), reused(asked="Cache-Control: max-age=9")),
    "§5.2.1.3": (fetched(), reused(asked="Cache-Control: min-fresh=51")),
    "which no cache may have stored": (fetched(f"{FRESH}, private", stored=""), reused(f"{FRESH}, private")),
    "must not be (§3)": (fetched(f"{FRESH}, no-store"),),
    "another URL": (fetched(), reused(url="http://a.test/y")),
    "should be stored": (fetched(stored=""),),
    "is stored and fresh": (fetched(), fetched()),
    "invalidated": (fetched(), fetched(method="DELETE", serial="s2"), reused()),
    "the body is": (fetched(), reused(body=b"another")),
    "status 200": (fetched(TAGGED), reused(TAGGED, 'If-None-Match: "a"')),
    "status 304": (fetched(TAGGED), reused(TAGGED, 'If-None-Match: "b"', status=304, body=b"")),
    "not what is stored": (fetched(TAGGED), reused(f'{FRESH}\nETag: "b"')),
    "of no stored response": (fetched(TAGGED), validated(TAGGED, sent='If-None-Match: "b"')),
    "§4.3.4": (fetched(TAGGED), validated(f'{FRESH}\nETag: "b"', told=f'{FRESH}\nETag: "b"')),
    "was not passed on": (Done(Asked("GET", URL, []), NOW, fetched().sent, reused().answer, NOW),),
}


@pytest.mark.parametrize("story", ALLOWED.values(), ids=ALLOWED)
def test_what_the_rfc_allows_is_accepted(story):
    reference = Reference(shared=True)

    for done in story:
        reference.check(done)


@pytest.mark.parametrize(("told", "story"), FAULTS.items(), ids=FAULTS)
def test_each_fault_is_noticed(told, story):
    reference = Reference(shared=True)
    for done in story[:-1]:
        reference.check(done)

    with pytest.raises(Violation) as caught:
        reference.check(story[-1])

    assert told in str(caught.value)


def test_what_one_user_is_told_is_for_nobody_else_in_a_shared_cache_only():
    authorized = fetched(asked="Authorization: x")

    Reference(shared=False).check(authorized)
    with pytest.raises(Violation):
        Reference(shared=True).check(authorized)
