import asyncio
from dataclasses import replace

import pytest

from sluicegate.assemble import Runtime
from sluicegate.config.load import load_settings
from sluicegate.core.http import Origin, RequestHead
from sluicegate.errors import StartError
from sluicegate.exchange.call import Call
from sluicegate.tasks import spawn
from support.origin import ScriptedOrigin, answer, response
from support.redis_server import RedisServer


def loaded(directory, **environ):
    base = {"SLUICEGATE_STATE_DIR": str(directory / "state"), "SLUICEGATE_LOG__FILE": str(directory / "proxy.log")}
    return load_settings(environ=base | environ)


async def ask(runtime, origin, target="/"):
    head = RequestHead("GET", Origin("http", "127.0.0.1", origin.port), target, [(b"Host", b"127.0.0.1")])

    async def no_interim(_head):
        return None

    reply = await runtime.addon.services.engine.handle(Call("t", "127.0.0.1", head), no_interim)
    while await reply.body.read():
        pass
    await reply.body.aclose()
    return reply.head.status


HELLO = answer(response(body=b"hello", fields=[("Cache-Control", "no-store")]))


async def test_other_limits_take_effect_on_a_reload_and_what_was_spent_stays_spent(tmp_path):
    async with ScriptedOrigin(HELLO) as origin:
        runtime = Runtime(loaded(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="3/hour"))
        try:
            assert [await ask(runtime, origin) for _ in range(2)] == [200, 200]
            await runtime.reload(loaded(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="2/hour"))
            assert await ask(runtime, origin) == 429
            await runtime.reload(loaded(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="4/hour"))
            assert await ask(runtime, origin) == 200
        finally:
            await runtime.close()


@pytest.mark.parametrize("collapse", ["true", "false"])
async def test_whether_requests_are_collapsed_takes_effect_on_a_reload(tmp_path, collapse):
    opposite = "false" if collapse == "true" else "true"
    together = asyncio.Event()

    async def slow(peer):
        while await peer.request() is not None:
            await together.wait()
            peer.send(response(body=b"x", fields=[("Cache-Control", "max-age=60")]))

    async with ScriptedOrigin(slow) as origin:
        runtime = Runtime(loaded(tmp_path, SLUICEGATE_CACHE__COLLAPSE=opposite))
        try:
            await runtime.reload(loaded(tmp_path, SLUICEGATE_CACHE__COLLAPSE=collapse))
            tasks = [spawn(ask(runtime, origin, "/a"), name="client") for _ in range(2)]
            if collapse == "false":
                await origin.until(lambda server: len(server.log) == 2)
            else:
                await origin.until(lambda server: len(server.log) == 1)
            together.set()
            assert await asyncio.gather(*tasks) == [200, 200]
        finally:
            await runtime.close()

    assert len(origin.log) == (1 if collapse == "true" else 2)


async def test_permits_outlive_the_process(tmp_path):
    async with ScriptedOrigin(HELLO) as origin:
        for expected in (200, 429):
            runtime = Runtime(loaded(tmp_path, SLUICEGATE_LIMITS__DEFAULT__RATES="1/hour"))
            try:
                assert await ask(runtime, origin) == expected
            finally:
                await runtime.close()


async def test_proxies_that_share_a_redis_share_a_cache(tmp_path):
    server = RedisServer()
    environ = {"SLUICEGATE_CACHE__STORE": "redis", "SLUICEGATE_CACHE__REDIS_URL": server.url}
    runtimes = [Runtime(loaded(tmp_path / name, **environ)) for name in ("one", "other")]
    try:
        async with ScriptedOrigin(answer(response(body=b"x", fields=[("Cache-Control", "max-age=60")]))) as origin:
            assert [await ask(runtime, origin) for runtime in runtimes] == [200, 200]
        assert len(origin.log) == 1
    finally:
        for runtime in runtimes:
            await runtime.close()
        server.close()


async def test_a_redis_url_with_unknown_options_is_a_clear_error(tmp_path):
    url = "redis://:hunter2@127.0.0.1/0?nonsense=1"
    with pytest.raises(StartError) as caught:
        Runtime(loaded(tmp_path, SLUICEGATE_CACHE__STORE="redis", SLUICEGATE_CACHE__REDIS_URL=url))

    assert "hunter2" not in str(caught.value)
    assert "cache.redis_url" in caught.value.advice


async def test_what_cannot_change_live_stays_and_is_said(tmp_path):
    runtime = Runtime(loaded(tmp_path))
    try:
        before = runtime.loaded.settings
        after = loaded(tmp_path, SLUICEGATE_LISTEN="127.0.0.1:1", SLUICEGATE_CACHE__MODE="off")
        await runtime.reload(after)

        assert runtime.loaded.settings.listen == before.listen
        assert runtime.loaded.settings.cache.mode == "off"
        runtime.log.flush()
        assert '"event":"restart_needed"' in (tmp_path / "proxy.log").read_text()
    finally:
        await runtime.close()


async def test_another_log_level_takes_effect_on_a_reload(tmp_path):
    async with ScriptedOrigin(HELLO) as origin:
        runtime = Runtime(loaded(tmp_path))
        try:
            await ask(runtime, origin, "/quiet")
            await runtime.reload(loaded(tmp_path, SLUICEGATE_LOG__LEVEL="debug"))
            await ask(runtime, origin, "/told")
        finally:
            await runtime.close()

    lines = (tmp_path / "proxy.log").read_text().splitlines()
    assert [line for line in lines if '"event":"cache"' in line and "/quiet" in line] == []
    assert [line for line in lines if '"event":"cache"' in line and "/told" in line] != []


async def test_safe_defaults_in_place_of_a_bad_file_are_said_loudly(tmp_path):
    problem = load_problem(tmp_path)
    runtime = Runtime(replace(loaded(tmp_path), fallback=(problem,)))
    await runtime.close()

    assert '"event":"fallback_defaults"' in (tmp_path / "proxy.log").read_text()


def load_problem(tmp_path):
    from sluicegate.errors import Problem

    return Problem("limits", "bad", str(tmp_path / "a.yaml"), 1)


async def test_a_state_directory_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    bad = load_settings(environ={"SLUICEGATE_STATE_DIR": str(tmp_path / "file" / "state")})

    with pytest.raises(StartError, match="state directory"):
        Runtime(bad)


async def test_the_state_directory_is_ours_alone(tmp_path):
    runtime = Runtime(loaded(tmp_path))
    await runtime.close()

    assert (tmp_path / "state").stat().st_mode & 0o077 == 0
    keys = [path for path in (tmp_path / "state" / "ca").iterdir() if path.name == "mitmproxy-ca.pem"]
    assert keys[0].stat().st_mode & 0o777 == 0o600
