import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest

from sluicegate.admin.cache_api import Upkeep
from sluicegate.admin.server import AdminServer
from sluicegate.core.admin_token import AdminToken
from sluicegate.core.caching.entry import StoredEntry
from sluicegate.core.events import Notice
from sluicegate.core.http import Origin, RequestHead, ResponseHead
from sluicegate.errors import CacheStoreError
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.selection import key_of
from support.admin import Asker, metrics
from support.engine import Recorder

TOKEN = "0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000.0
BEARER = {"Authorization": f"Bearer {TOKEN}"}


class Failing(MemoryCacheStore):
    """A store that fails after it has told of its one entry so many times."""

    after = 0

    async def listed(self, prefix="", *, exact=False):
        for _ in range(self.after):
            async for one in super().listed(prefix, exact=exact):
                yield one
        raise CacheStoreError("the disk is gone")


class Kept:
    """The store that is managed, and how often it was opened and let go of."""

    def __init__(self):
        self.store = MemoryCacheStore()
        self.opened = self.closed = 0

    @asynccontextmanager
    async def open(self):
        self.opened += 1
        try:
            yield self.store
        finally:
            self.closed += 1

    async def keep(self, host, path="/", *, stored_at=NOW, **fields):
        origin = Origin("http", host, 80)
        head = ResponseHead(200, b"OK", [(name.replace("_", "-").encode(), v.encode()) for name, v in fields.items()])
        entry = StoredEntry("", RequestHead("GET", origin, path), head, stored_at, stored_at)
        writer = self.store.begin(f"http://{host}{path}", entry, 4)
        assert await writer.write(b"body")
        assert await writer.commit()
        await writer.aclose()

    def keys(self):
        return sorted(held.key for held in self.store._held.values())


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
def told():
    return Recorder()


def keys_of(url):
    """As a rule has it that leaves `sid` out."""
    return sorted({key_of(url), key_of(url).replace("?sid=1", "")})


@pytest.fixture
async def admin(proxy, kept, told):
    server = AdminServer(
        "127.0.0.1",
        0,
        status=proxy.status,
        ready=lambda: True,
        metrics=metrics,
        upkeep=Upkeep(AdminToken(TOKEN), kept.open, told, lambda: NOW, keys_of),
    )
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def ask(admin):
    return Asker(admin)


@pytest.fixture
def purge(ask):
    async def it(**document):
        status, _, body = await ask("/api/cache/purge", "POST", json.dumps(document).encode(), **BEARER)
        return status, json.loads(body)

    return it


@pytest.fixture
def listing(ask):
    async def it(query=""):
        status, _, body = await ask(f"/api/cache{query}", **BEARER)
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]

    return it


@pytest.mark.parametrize(("path", "method"), [("/api/cache", "GET"), ("/api/cache/purge", "POST")])
@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Basic {TOKEN}",
        TOKEN,
        f"Bearer {TOKEN}x",
        f"Bearer x, Bearer {TOKEN}",
    ],
)
async def test_without_the_token_nothing_is_told_and_nothing_removed(ask, kept, path, method, authorization):
    await kept.keep("a.example")
    headers = {} if authorization is None else {"Authorization": authorization}

    status, answered, body = await ask(path, method, b'{"all": true}', **headers)

    assert status == 401
    assert answered["WWW-Authenticate"].startswith("Bearer")
    assert answered["Content-Type"] == "application/problem+json"
    assert "a.example" not in body
    assert TOKEN not in body
    assert (kept.keys(), kept.opened) == (["http://a.example/"], 0)


async def test_a_wrong_token_is_told_to_the_log_without_it(ask, told):
    await ask("/api/cache", Authorization="Bearer guessed-guessed-guessed")

    (notice,) = told.of(Notice)
    assert (notice.event, notice.fields["client"]) == ("admin_refused", "127.0.0.1")
    assert "guessed" not in str(notice)


async def test_a_foreign_host_name_is_refused_even_with_the_token(ask, kept):
    status, _, _ = await ask("/api/cache", Host="attacker.example", **BEARER)

    assert (status, kept.opened) == (403, 0)


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/api/cache", "POST", "GET"), ("/api/cache", "DELETE", "GET"), ("/api/cache/purge", "GET", "POST")],
)
async def test_other_methods_are_told_the_right_one(ask, path, method, allowed):
    status, headers, _ = await ask(path, method, **BEARER)

    assert (status, headers["Allow"]) == (405, allowed)


async def test_a_browser_gets_no_leave_to_send_the_token(ask):
    status, headers, _ = await ask("/api/cache/purge", "OPTIONS", Origin="http://evil.example")

    assert status == 405
    assert not [name for name in headers if name.lower().startswith("access-control")]


async def test_what_is_stored_is_listed(kept, listing):
    await kept.keep("a.example", "/x?q=1", Content_Type="text/css", Cache_Tag="one, two", Vary="Accept")

    (line,) = await listing()

    assert line["size"] > 4
    assert line | {"size": 0, "digest": None} == {
        "url": "http://a.example/x?q=1",
        "status": 200,
        "stored_at": NOW,
        "used_at": None,
        "size": 0,
        "body_length": 4,
        "content_type": "text/css",
        "varies_by": ["accept"],
        "tags": ["one", "two"],
        "digest": None,
    }


async def test_the_query_selects(kept, listing):
    await kept.keep("a.example", "/1", Cache_Tag="t")
    await kept.keep("a.example", "/2", stored_at=NOW - 7200)
    await kept.keep("sub.a.example", "/3")

    async def urls(query):
        return sorted(line["url"].rpartition("/")[2] for line in await listing(query))

    assert await urls("") == ["1", "2", "3"]
    assert await urls("?host=a.example") == ["1", "2"]
    assert await urls("?host=*.a.example") == ["3"]
    assert await urls("?tag=t") == ["1"]
    assert await urls("?older_than=1h") == ["2"]
    assert await urls("?newer_than=1h&host=a.example") == ["1"]
    assert await urls("?url=http://A.example:80/2") == ["2"]
    assert await urls("?prefix=http://sub.a.example") == ["3"]
    assert len(await urls("?limit=2")) == 2


async def test_a_long_list_comes_whole_in_pieces(kept, listing):
    for number in range(1500):
        await kept.keep("a.example", f"/{number:04}", Cache_Tag="t" * 100)

    assert len(await listing()) == 1500
    assert kept.opened == kept.closed == 1


async def test_a_query_that_cannot_be_meant_is_400(ask):
    status, headers, body = await ask("/api/cache?hsot=a", **BEARER)

    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert "host" in json.loads(body)["detail"]


async def test_a_store_that_fails_is_503_and_in_the_middle_a_cut_connection(ask, admin, kept):
    kept.store = Failing()
    assert (await ask("/api/cache", **BEARER))[0] == 503

    await kept.keep("a.example", Cache_Tag="t" * 200)
    kept.store.after = 2000
    with socket.create_connection(("127.0.0.1", admin.port)) as client:
        client.sendall(f"GET /api/cache HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        received = await read_to_the_end(client)

    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n"), "a client that took this for the whole would be wrong"
    assert kept.opened == kept.closed


async def read_to_the_end(client):
    loop = asyncio.get_running_loop()
    client.setblocking(False)
    pieces = []
    while data := await loop.sock_recv(client, 65536):
        pieces.append(data)
    return b"".join(pieces)


async def test_a_purge_removes_what_is_meant_and_tells_how_much(kept, purge, told):
    await kept.keep("a.example", "/1")
    await kept.keep("a.example", "/2")
    await kept.keep("b.example", "/3")

    assert await purge(host="a.example") == (200, {"removed": 2})

    assert kept.keys() == ["http://b.example/3"]
    (notice,) = told.of(Notice)
    assert notice.event == "purged"
    assert notice.fields == {"client": "127.0.0.1", "removed": 2, "selection": {"host": "a.example"}}


async def test_a_url_means_what_is_stored_for_it_under_the_rules_in_force(kept, listing, purge):
    await kept.keep("a.example", "/x")
    await kept.keep("a.example", "/x?sid=1")

    assert len(await listing("?url=http://a.example/x%3Fsid=1")) == 2
    assert await purge(url="http://a.example/x?sid=1") == (200, {"removed": 2})
    assert kept.keys() == []


async def test_everything_is_removed_only_by_name(kept, purge):
    await kept.keep("a.example")

    assert (await purge())[0] == 400
    assert kept.keys()
    assert await purge(all=True) == (200, {"removed": 1})
    assert not kept.keys()


async def test_a_purge_with_conditions_in_the_query_is_refused_rather_than_doing_more_than_was_meant(ask, kept):
    await kept.keep("a.example")

    status, _, body = await ask("/api/cache/purge?host=b.example", "POST", b'{"all": true}', **BEARER)

    assert status == 400
    assert "in the body, not in the query" in json.loads(body)["detail"]
    assert kept.keys()


async def test_a_purge_that_fails_says_so(kept, purge, told):
    kept.store = Failing()

    status, document = await purge(all=True)

    assert status == 503
    assert "the disk is gone" in document["detail"]
    assert not told.of(Notice)


async def test_a_huge_body_is_not_read(admin, kept):
    with socket.create_connection(("127.0.0.1", admin.port)) as client:
        client.sendall(
            b"POST /api/cache/purge HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n"
            + f"Authorization: Bearer {TOKEN}\r\n\r\n".encode()
        )
        received = await read_to_the_end(client)

    assert not received.startswith(b"HTTP/1.1 200")
    assert kept.opened == 0


async def test_without_upkeep_there_is_no_such_page(proxy):
    server = AdminServer("127.0.0.1", 0, status=proxy.status, ready=lambda: True, metrics=metrics)
    await server.start()
    try:
        assert (await Asker(server)("/api/cache", **BEARER))[0] == 404
    finally:
        await server.stop()
