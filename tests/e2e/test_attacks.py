"""Attacks on the cache, by one client of the proxy on the others: nothing that one sends changes what another gets.

The origin (`support.vulnerable`) believes everything; that it does must not matter to anybody but the attacker.
"""

import itertools

import pytest

from sluicegate.config.passwords import hash_password
from support.origin import ThreadedOrigin, answer
from support.proxy import running_proxy
from support.vulnerable import EVIL, Client, app, is_hit

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def origins(private_ca):
    with ThreadedOrigin(answer(app)) as plain, ThreadedOrigin(answer(app), tls=private_ca.certificate) as closed:
        yield {"plain": plain, "tls": closed}


@pytest.fixture(scope="module")
def shared(tmp_path_factory, private_ca):
    users = {name: hash_password(PASSWORD) for name in ("ann", "bob")}
    with running_proxy(
        tmp_path_factory.mktemp("shared"),
        access={"users": users, "allow_private": True},
        https={"upstream_ca": str(private_ca.file)},
    ) as proxy:
        yield proxy


@pytest.fixture(scope="module", params=["plain", "tls"])
def base(request, origins):
    return origins[request.param].url


@pytest.fixture(scope="module")
def attacker(shared, base):
    return Client(shared, base, "ann", PASSWORD)


@pytest.fixture(scope="module")
def victim(shared, base):
    return Client(shared, base, "bob", PASSWORD)


@pytest.fixture
def fresh():
    """A path of its own for each test, whose answers are fresh for ten minutes."""
    return f"/fresh/{next(_numbers)}"


def unspoilt(victim, path, *fields):
    """The victim gets what it would get had there been no attack."""
    reply = victim.get(path, *fields)
    assert reply.status == 200
    assert EVIL.encode() not in reply.body
    return reply


def test_the_cache_works_for_both(attacker, victim, fresh):
    assert not is_hit(attacker.get(fresh))
    assert is_hit(victim.get(fresh)), "without this, none of the tests below would prove anything"


# Poisoning: fields that an origin may believe, and that are no part of the key.

BELIEVED = [
    "Forwarded: host=evil.example",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Server: evil.example",
    "X-Forwarded-Proto: evil",
    "X-Forwarded-Scheme: evil",
    "X-Forwarded-Port: 666; evil",
    "X-Forwarded-Prefix: /evil",
    "X-Forwarded-Path: /evil",
    "X-Forwarded-SSL: evil",
    "X-Url-Scheme: evil",
    "Front-End-Https: evil",
    "X-Host: evil.example",
    "X-Original-Host: evil.example",
    "X-Original-URL: /evil",
    "X-Rewrite-URL: /evil",
    "X-HTTP-Method-Override: evil",
    "X-HTTP-Method: evil",
    "X-Method-Override: evil",
    "x-forwarded-HOST: evil.example",
]


@pytest.mark.parametrize("line", BELIEVED)
def test_fields_that_stand_in_for_the_url_poison_nothing(attacker, victim, fresh, line):
    assert EVIL.encode() in attacker.get(fresh, line).body, "the origin believes it"

    unspoilt(victim, fresh)


@pytest.mark.parametrize("line", BELIEVED[:2])
def test_nor_do_they_get_what_is_stored_for_others(attacker, victim, fresh, line):
    victim.get(fresh)

    reply = attacker.get(fresh, line)

    assert not is_hit(reply)
    assert is_hit(unspoilt(victim, fresh)), "and it stays"


@pytest.mark.parametrize("host", ["evil.example", "evil", "127.0.0.1:1", "", "evil@{authority}", "{authority}.evil"])
def test_a_host_other_than_that_of_the_url_poisons_nothing(attacker, victim, fresh, host):
    attacker.raw(fresh, f"Host: {host.format(authority=attacker.authority)}")

    reply = unspoilt(victim, fresh)
    assert f"Host: {victim.authority}".encode() in reply.body


def test_a_plain_request_asks_for_the_host_of_its_url_whatever_host_says(shared, origins, fresh):
    """RFC 9112 §3.2.2."""
    client = Client(shared, origins["plain"].url, "ann", PASSWORD)

    client.raw(fresh, "Host: evil.example")

    assert origins["plain"].log[-1].get("Host") == client.authority


def test_two_hosts_are_refused(attacker, victim, fresh):
    assert attacker.raw(fresh, f"Host: {attacker.authority}\r\nHost: evil.example").status == 400

    unspoilt(victim, fresh)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_body_of_a_get_poisons_nothing_and_gets_nothing_of_others(attacker, victim, fresh, method):
    first = attacker.get(fresh, method=method, body=b"evil")

    assert not is_hit(first)
    unspoilt(victim, fresh)
    assert not is_hit(attacker.get(fresh, method=method, body=b"evil")), "it is a question of its own"


def test_a_chunked_body_of_a_get_neither(attacker, victim, fresh):
    lines = f"Host: {attacker.authority}\r\nTransfer-Encoding: chunked"
    assert attacker.raw(fresh, lines, body=b"4\r\nevil\r\n0\r\n\r\n").status == 200

    unspoilt(victim, fresh)


def test_a_range_poisons_no_whole(attacker, victim):
    path = f"/fresh/range/{next(_numbers)}"
    assert attacker.get(path, "Range: bytes=0-3").status == 206

    assert b"Host" in unspoilt(victim, path).body


@pytest.mark.parametrize("line", ["Range: bytes=0-3, 5-, evil", "Range: evil=0-1", 'If-Range: "evil"'])
def test_ranges_and_conditions_that_are_nonsense_poison_nothing(attacker, victim, fresh, line):
    attacker.get(fresh, line)

    reply = victim.get(fresh)
    assert reply.status == 200
    assert reply.body.endswith(b"]"), "the whole"


@pytest.mark.parametrize("status", [400, 405, 413, 414, 416, 417, 431, 500, 501, 503])
def test_an_error_that_an_attackers_request_provokes_is_no_answer_for_others(attacker, victim, status):
    path = f"/fresh/error/{status}/{next(_numbers)}"
    assert attacker.get(path, "X-Bad: 1", "Accept: */*").status == status

    assert victim.get(path, "Accept: */*").status == 200


# Keys: what an origin may tell apart is never merged.

DIFFERENT = [
    ("/a%2Fb", "/a/b"),
    ("/a%2f..%2fb", "/b"),
    ("/a/..%2fb", "/b"),
    ("/a;x=1", "/a"),
    ("/a%3Bx", "/a;x"),
    ("/a%00", "/a"),
    ("/a%0d%0a", "/a"),
    ("/A", "/a"),
    ("/a/", "/a"),
    ("//a", "/a"),
    ("/a?", "/a"),
    ("/a?b&c", "/a?c&b"),
    ("/a?b=%41", "/a?b=A"),
    ("/a%3Fb", "/a?b"),
    ("/a%23b", "/a"),
    ("/a%25%32%46b", "/a%2Fb"),
    ("/a%5C..%5Cb", "/b"),
    ("/a\\..\\b", "/b"),
    ("/a+b", "/a%20b"),
    ("/a.", "/a"),
    ("/%E4", "/%C3%A4"),
    ("/a&b", "/a%26b"),
    ("/a@b", "/a%40b"),
]


@pytest.mark.parametrize(("evil", "good"), DIFFERENT)
def test_urls_that_an_origin_may_tell_apart_share_nothing(attacker, victim, fresh, evil, good):
    attacker.get(fresh + evil)

    reply = victim.get(fresh + good)

    assert not is_hit(reply)


@pytest.mark.parametrize(
    ("one", "other"), [("/a/./b", "/a/b"), ("/x/../b", "/b"), ("/%61", "/a"), ("/%7eu", "/~u"), ("/a%2f", "/a%2F")]
)
def test_urls_that_rfc_3986_makes_the_same_share_an_answer(attacker, victim, fresh, one, other):
    """RFC 3986 §6.2.2: an origin that tells these apart is wrong, and docs/security.md says so."""
    attacker.get(fresh + one)

    assert is_hit(victim.get(fresh + other))


# Deception: what is one user's own is not kept because its URL looks like a file.


@pytest.mark.parametrize("says", ["private", "no-store", "nothing", "heuristic", "cookie-heuristic", "cookie"])
@pytest.mark.parametrize(
    "suffix", ["/x.css", ";x.css", "%2fx.css", "%00x.css", "/..%2fx.css", "%23x.css", "?x.css", ".css"]
)
def test_a_path_that_looks_like_a_file_makes_nothing_public(attacker, victim, says, suffix):
    path = f"/{says}/{next(_numbers)}/account{suffix}"
    assert b"secret-of-bob" in victim.get(path, "Cookie: session=secret-of-bob").body

    assert b"secret-of-bob" not in attacker.get(path).body
    assert b"secret-of-bob" not in attacker.get(path, "Cookie: session=ann").body
