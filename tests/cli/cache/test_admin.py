"""With `cache.store: memory` the running proxy is asked: here its own admin server, over a store of the test's."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from sluicegate.admin.cache_api import Upkeep
from sluicegate.admin.server import AdminServer
from sluicegate.cli.cache.admin import AdminRefused, listed_remotely, purged_remotely
from sluicegate.config.models import Settings
from sluicegate.core.admin_token import AdminToken
from sluicegate.observe.sink import FanOut
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.upkeep.selection import Selection
from support.admin import Shown, metrics
from support.stored import Kept, fill, listing, put

NOW = 1_000_000.0
A, B = "http://a.example/1", "http://b.example/2"


@pytest.fixture
async def store():
    made = MemoryCacheStore()
    await put(made, Kept(A, headers="Cache-Tag: t", age_s=100), Kept(B), now=NOW)
    return made


@pytest.fixture
async def admin(store):
    @asynccontextmanager
    async def open_store():
        yield store

    upkeep = Upkeep(AdminToken("s" * 32), open_store, FanOut(), lambda: NOW, lambda url: [url])
    server = AdminServer("127.0.0.1", 0, status=Shown().status, ready=lambda: True, metrics=metrics, upkeep=upkeep)
    await server.start()
    yield server.port
    await server.stop()


def settings(port: int, **others) -> Settings:
    return Settings.model_validate({"admin": f"127.0.0.1:{port}", "cache": {"store": "memory"}, **others})


async def test_the_proxy_lists_and_removes_what_is_meant(admin, store, tmp_path):
    (tmp_path / "admin.token").write_text("s" * 32 + "\n")
    there = settings(admin, state_dir=str(tmp_path))

    def listed(selection: Selection) -> list[str]:
        return [one["url"] for one in listed_remotely(there, selection)]

    assert set(await asyncio.to_thread(listed, Selection())) == {A, B}
    assert await asyncio.to_thread(listed, Selection(tag="t", older_than_s=99.5, host="*.example")) == [A]
    assert await asyncio.to_thread(listed, Selection(newer_than_s=50, prefix="http://b.example/")) == [B]
    assert await asyncio.to_thread(purged_remotely, there, Selection(url=A)) == 1
    assert set(await listing(store)) == {B}
    assert await asyncio.to_thread(purged_remotely, there, Selection()) == 1


async def test_json_has_the_members_that_it_has_of_a_cache_on_disk(admin, cache):
    await asyncio.to_thread(fill, cache.state_dir, Kept(A, headers="Cache-Tag: t"))
    on_disk = await asyncio.to_thread(cache.json, "ls")

    cache.configure({"admin": f"127.0.0.1:{admin}", "admin_token": "s" * 32, "cache": {"store": "memory"}})
    asked = await asyncio.to_thread(cache.json, "ls", A)

    assert asked.keys() == on_disk.keys()
    same = ("url", "status", "type", "body_bytes", "tags", "digest")
    assert [asked[name] for name in same] == [on_disk[name] for name in same]


async def test_without_a_token_it_is_told_where_one_was_looked_for(unused_tcp_port, tmp_path):
    without = settings(unused_tcp_port, state_dir=str(tmp_path))

    with pytest.raises(AdminRefused, match=r"admin\.token: No such file or directory\. The proxy makes it"):
        await asyncio.to_thread(purged_remotely, without, Selection())


async def test_what_the_proxy_refuses_is_told(admin):
    wrong = settings(admin, admin_token="w" * 32)

    with pytest.raises(AdminRefused, match=r"answered with 401\. This is not the admin token\."):
        await asyncio.to_thread(purged_remotely, wrong, Selection())


async def test_that_nobody_answers_is_told(unused_tcp_port):
    nobody = settings(unused_tcp_port, admin_token="s" * 32)

    with pytest.raises(AdminRefused, match="could not be asked"):
        await asyncio.to_thread(purged_remotely, nobody, Selection())


def test_without_a_token_or_an_admin_server_there_is_nobody_to_ask(tmp_path):
    with pytest.raises(AdminRefused, match="admin token cannot be read"):
        purged_remotely(settings(1, state_dir=str(tmp_path)), Selection())
    off = Settings.model_validate({"admin": "off", "cache": {"store": "memory"}})
    with pytest.raises(AdminRefused, match="no admin server to ask"):
        list(listed_remotely(off, Selection()))
