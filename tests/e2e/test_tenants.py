"""Several people, one cache: nothing of one is ever shown to another, whatever the origin forgot to say."""

import base64
import itertools
import subprocess

import pytest

from sluicegate.config.passwords import hash_password
from support.origin import ThreadedOrigin, answer
from support.proxy import COMMAND, base_config, clean_environ, running_proxy, write_config
from support.vulnerable import Client, app, is_hit

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def users():
    return {name: hash_password(PASSWORD) for name in ("ann", "bob")}


@pytest.fixture(scope="module")
def origin():
    with ThreadedOrigin(answer(app)) as plain:
        yield plain


@pytest.fixture(scope="module")
def shared(tmp_path_factory, users):
    access = {"users": users, "allow_private": True}
    with running_proxy(tmp_path_factory.mktemp("shared"), access=access) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def ann(shared, origin):
    return Client(shared, origin.url, "ann", PASSWORD)


@pytest.fixture(scope="module")
def bob(shared, origin):
    return Client(shared, origin.url, "bob", PASSWORD)


@pytest.fixture
def path():
    """A path of its own for each test; the origin's fields are named in front of it."""
    return f"/{next(_numbers)}"


COOKIE = "Cookie: session=secret-of-ann"
BASIC = "Authorization: Basic " + base64.b64encode(b"secret-of-ann").decode()


def test_what_is_for_all_is_shared(ann, bob, path):
    ann.get("/public" + path)

    assert is_hit(bob.get("/public" + path))


@pytest.mark.parametrize("line", [COOKIE, BASIC], ids=["cookie", "authorization"])
@pytest.mark.parametrize("says", ["private", "no-store", "nothing", "heuristic", "etag", "cookie", "cookie-heuristic"])
def test_nothing_that_one_got_with_credentials_is_given_to_another_unless_it_says_so(ann, bob, path, says, line):
    ann.get(f"/{says}{path}", line)

    assert not is_hit(bob.get(f"/{says}{path}"))
    for mine in ("Cookie: session=bob", "Authorization: Basic Ym9i"):
        assert b"secret-of-ann" not in bob.get(f"/{says}{path}", mine).body


@pytest.mark.parametrize("says", ["fresh", "cookie"])
def test_rfc9111_3_5_an_authorized_answer_needs_leave(ann, bob, path, says):
    ann.get(f"/{says}{path}", BASIC)

    assert not is_hit(bob.get(f"/{says}{path}"))


@pytest.mark.parametrize("says", ["public", "s-maxage"])
def test_rfc9111_3_5_and_with_it_is_shared(ann, bob, path, says):
    ann.get(f"/{says}{path}", BASIC)

    assert is_hit(bob.get(f"/{says}{path}"))


@pytest.mark.parametrize("says", ["cookie", "cookie-heuristic"])
def test_a_session_that_one_is_given_is_given_to_nobody_else(ann, bob, path, says):
    assert ann.get(f"/{says}{path}").get("Set-Cookie")

    assert not is_hit(bob.get(f"/{says}{path}"))


def test_a_cookie_that_the_origin_calls_public_is_for_all(ann, bob, path):
    ann.get("/cookie-public" + path)

    assert is_hit(bob.get("/cookie-public" + path))


def test_rfc9111_5_2_2_7_fields_that_are_private_are_not_kept(ann, bob, path):
    assert ann.get("/private-field" + path).get("X-Mine") == "mine"

    reply = bob.get("/private-field" + path)
    assert is_hit(reply)
    assert reply.get("X-Mine") is None


def test_vary_on_cookies_and_credentials_keeps_them_apart(ann, bob, path):
    ann.get("/vary-cookie" + path, COOKIE)
    ann.get("/vary-authorization" + path, BASIC)

    for mine in ((), ("Cookie: session=bob",)):
        assert b"secret-of-ann" not in bob.get("/vary-cookie" + path, *mine).body
    for mine in ((), ("Authorization: Basic Ym9i",)):
        assert not is_hit(bob.get("/vary-authorization" + path, *mine))
    assert is_hit(bob.get("/vary-cookie" + path, COOKIE)), "who has the cookie is the same person"


def test_vary_on_anything_is_never_shared(ann, bob, path):
    ann.get("/vary-any" + path)

    assert not is_hit(bob.get("/vary-any" + path))


def test_fields_that_end_at_the_proxy_reach_no_origin_and_select_nothing(ann, bob, path, origin):
    """Vary names them, and the answer was the same for all: the origin never saw any."""
    ann.get("/vary-hop" + path, "TE: evil", "Connection: X-Evil, close", "X-Evil: evil")

    seen = origin.log[-1]
    assert [seen.get(name) for name in ("TE", "X-Evil", "Proxy-Authorization")] == [None, None, None]
    assert b"evil" not in bob.get("/vary-hop" + path).body


def test_a_connection_option_hides_no_field_from_the_key_only(ann, bob, path):
    """`Connection: Cookie` must not make an answer look as if no cookie had been sent, while the origin saw one."""
    ann.get("/vary-cookie" + path, COOKIE, "Connection: Cookie")

    assert b"secret-of-ann" not in bob.get("/vary-cookie" + path).body


def test_a_huge_vary_is_heeded_to_its_last_name(ann, bob, path):
    ann.get("/vary-huge" + path, "X-Who: ann-herself")

    reply = bob.get("/vary-huge" + path, "X-Who: bob")
    assert b"ann-herself" not in reply.body


# One person's cache, and what becomes of it when others come.


def test_a_private_cache_keeps_what_is_private_for_its_one_user(tmp_path, origin, path):
    with running_proxy(tmp_path, cache={"mode": "private"}) as proxy:
        owner = Client(proxy, origin.url)
        for kind in ("private", "cookie", "fresh"):
            owner.get(f"/{kind}{path}", COOKIE, BASIC)
            assert is_hit(owner.get(f"/{kind}{path}", COOKIE, BASIC)), kind


def test_what_a_private_cache_kept_is_shown_to_nobody_once_it_is_shared(tmp_path, origin):
    kinds = ["private", "fresh", "public", "heuristic", "cookie", "etag"]
    asked = [(f"/{kind}/{number}", line) for kind in kinds for number, line in enumerate((COOKIE, BASIC))]
    with running_proxy(tmp_path, cache={"mode": "private"}) as proxy:
        owner = Client(proxy, origin.url)
        for path, line in asked:
            owner.get(path, line)
        assert is_hit(owner.get("/private/0", COOKIE))
        proxy.reconfigure(base_config(tmp_path, cache={"mode": "shared"}))
        proxy.await_log(event="reloaded")

        for path, _ in asked:
            reply = owner.get(path)
            assert not is_hit(reply), path
            assert b"secret-of-ann" not in reply.body, path


def test_what_one_alone_could_keep_is_shown_to_nobody_once_there_are_others(tmp_path, origin, path, users):
    """Without `access` the cache goes by the RFC alone: Set-Cookie with max-age is kept."""
    with running_proxy(tmp_path) as proxy:
        owner = Client(proxy, origin.url)
        owner.get("/cookie" + path, COOKIE)
        assert is_hit(owner.get("/cookie" + path, COOKIE))
        proxy.reconfigure(base_config(tmp_path, access={"users": users, "allow_private": True}))
        proxy.await_log(event="reloaded")

        reply = Client(proxy, origin.url, "bob", PASSWORD).get("/cookie" + path)

        assert not is_hit(reply)
        assert b"secret-of-ann" not in reply.body


def test_a_private_cache_for_several_users_is_refused(tmp_path, users):
    file = tmp_path / "sluicegate.yaml"
    write_config(file, base_config(tmp_path, cache={"mode": "private"}, access={"users": users}))

    ended = subprocess.run(
        [*COMMAND, "check", "--config", str(file)],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "cache.mode" in ended.stderr
