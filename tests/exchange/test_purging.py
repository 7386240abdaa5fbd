import asyncio
import contextlib
import json

import pytest

from sluicegate.core.access import AccessPolicy
from sluicegate.core.admin_token import AdminToken
from sluicegate.core.caching.keys import cache_key
from sluicegate.core.events import Notice
from sluicegate.errors import CacheStoreError
from sluicegate.exchange.call import Identity
from sluicegate.exchange.engine import Engine
from sluicegate.exchange.purging import Purging
from sluicegate.stores.cache.memory import MemoryCacheStore
from sluicegate.tasks import spawn
from support.engine import engine_bench
from support.origin import ScriptedOrigin, answer, response

TOKEN = "0123456789abcdef0123456789abcdef"
WITH_TOKEN = [(b"Sluicegate-Token", TOKEN.encode())]
KEPT = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600"), ("Vary", "Accept")]))


@contextlib.asynccontextmanager
async def purging_bench(**options):
    """An engine that answers PURGE."""
    async with engine_bench(**options) as bench:
        purging = Purging(
            token=AdminToken(TOKEN), store=bench.store, flights=bench.flights, events=bench.events, key=cache_key
        )
        bench.engine = Engine(
            cached=bench.engine._cached,
            access=options.get("access") or AccessPolicy(),
            identity=Identity(b"sluicegate-test"),
            purging=purging,
        )
        yield bench


def hits(reply):
    return "; hit" in reply.get("Cache-Status")


async def test_with_the_token_all_variants_go_and_the_origin_hears_nothing():
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        for accept in (b"text/a", b"text/b"):
            await bench.ask(origin.url + "/x", fields=[(b"Accept", accept)])
        await bench.ask(origin.url + "/other")

        purged = await bench.ask(origin.url + "/%78", method="PURGE", fields=WITH_TOKEN)

        assert (purged.status, json.loads(purged.body)) == (200, {"removed": 2})
        assert purged.get("Cache-Control") == "no-store"
        assert [seen.method for seen in origin.log] == ["GET"] * 3
        assert not hits(await bench.ask(origin.url + "/x", fields=[(b"Accept", b"text/a")]))
        assert hits(await bench.ask(origin.url + "/other"))


async def test_who_removed_what_is_in_the_log():
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        await bench.ask(origin.url + "/x")

        await bench.ask(origin.url + "/x", method="PURGE", fields=WITH_TOKEN, client="10.1.2.3")

        (notice,) = [notice for notice in bench.events.of(Notice) if notice.event == "purged"]
        assert (notice.fields["client"], notice.fields["url"]) == ("10.1.2.3", origin.url + "/x")
        assert notice.fields["removed"] == 1


async def test_nothing_stored_is_no_error():
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        purged = await bench.ask(origin.url + "/x", method="PURGE", fields=WITH_TOKEN)

        assert (purged.status, json.loads(purged.body)) == (200, {"removed": 0})
        assert origin.accepted == 0


@pytest.mark.parametrize(
    "fields",
    [
        [(b"sluicegate-token", b"wrong")],
        [(b"Sluicegate-Token", b"")],
        [*WITH_TOKEN, *WITH_TOKEN],
        [(b"Sluicegate-Token", b"wrong"), *WITH_TOKEN],
    ],
)
async def test_a_wrong_token_is_403_and_nothing_happens(fields):
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        await bench.ask(origin.url + "/x")

        refused = await bench.ask(origin.url + "/x", method="PURGE", fields=fields)

        assert refused.status == 403
        assert "error=http_request_denied" in refused.get("Proxy-Status")
        assert TOKEN not in refused.body.decode()
        assert hits(await bench.ask(origin.url + "/x"))
        assert [seen.method for seen in origin.log] == ["GET"]
        assert [notice.event for notice in bench.events.of(Notice)] == ["purge_refused"]


async def test_without_a_token_it_is_an_unsafe_method_for_the_origin_and_invalidates():
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        await bench.ask(origin.url + "/x")

        passed = await bench.ask(origin.url + "/x", method="PURGE")

        assert (passed.status, passed.body) == (200, b"kept")
        assert [seen.method for seen in origin.log] == ["GET", "PURGE"]
        assert not hits(await bench.ask(origin.url + "/x"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "BAN"])
async def test_the_token_goes_to_no_origin_whatever_the_method(method):
    async with ScriptedOrigin(KEPT) as origin, purging_bench() as bench:
        await bench.ask(origin.url + "/x", method=method, fields=WITH_TOKEN)

        (seen,) = origin.log
        assert seen.get("Sluicegate-Token") is None


async def test_a_host_that_may_not_be_asked_may_not_be_purged():
    async with purging_bench(access=AccessPolicy(allow_private=False)) as bench:
        refused = await bench.ask("http://127.0.0.1/x", method="PURGE", fields=WITH_TOKEN)

        assert refused.status == 403
        assert not bench.events.of(Notice)


async def test_a_store_that_fails_is_told():
    class Failing(MemoryCacheStore):
        async def listed(self, prefix="", *, exact=False):
            raise CacheStoreError("the disk is gone")
            yield

    async with ScriptedOrigin(KEPT) as origin, purging_bench(store=Failing()) as bench:
        failed = await bench.ask(origin.url + "/x", method="PURGE", fields=WITH_TOKEN)

        assert failed.status == 503
        assert b"the disk is gone" in failed.body


async def test_what_is_on_its_way_when_it_is_purged_is_not_kept():
    halfway, go_on = asyncio.Event(), asyncio.Event()

    async def slow(peer):
        while await peer.request():
            peer.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 4\r\n\r\nol")
            halfway.set()
            await go_on.wait()
            peer.send(b"d!")

    async with ScriptedOrigin(slow) as origin, purging_bench() as bench:
        under_way = spawn(bench.ask(origin.url + "/x"), name="client")
        await halfway.wait()

        await bench.ask(origin.url + "/x", method="PURGE", fields=WITH_TOKEN)
        go_on.set()

        assert (await under_way).body == b"old!"
        assert not hits(await bench.ask(origin.url + "/x"))
