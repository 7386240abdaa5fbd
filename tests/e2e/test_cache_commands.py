"""`sluicegate cache` beside a proxy that runs, as an operator uses it."""

import asyncio
import json
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, clean_environ, running_proxy, wait_until

LARGE = b"x" * 300_000
KEPT = answer(response(body=LARGE, fields=[("Cache-Control", "max-age=600"), ("Cache-Tag", "news")]))


def cache(proxy, *arguments, exit_code=0):
    """What a command in a process of its own prints."""
    command, *rest = arguments
    words = [*COMMAND, "cache", command, "--config", str(proxy.config_file), *rest]
    done = subprocess.run(words, capture_output=True, timeout=60, check=False, env=clean_environ())
    assert done.returncode == exit_code, done.stderr.decode()
    return done.stdout


def listed(proxy, *arguments):
    return {json.loads(line)["url"] for line in cache(proxy, "ls", "--json", *arguments).splitlines()}


def is_hit(proxy, url):
    return "; hit" in proxy.get(url).get("Cache-Status")


def keep(proxy, *urls):
    """Have these stored, and found by everyone."""
    for url in urls:
        wait_until(lambda url=url: is_hit(proxy, url), f"{url} to be stored")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_purged_beside_it_the_proxy_forgets_at_once(tmp_path, workers):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path, workers=workers) as proxy:
        a, b = origin.url + "/a", origin.url + "/b"
        keep(proxy, a, b)
        wait_until(lambda: listed(proxy) == {a, b}, "both to be listed")

        assert cache(proxy, "purge", a) == b"1 stored response removed.\n"

        assert not is_hit(proxy, a)
        assert is_hit(proxy, b)
        assert cache(proxy, "purge", "--tag", "news", "--host", "127.0.0.1", "--prefix", b) == (
            b"1 stored response removed.\n"
        )
        assert not is_hit(proxy, b)


def test_looking_on_changes_nothing(tmp_path):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path) as proxy:
        url = origin.url + "/a"
        keep(proxy, url)
        wait_until(lambda: listed(proxy) == {url}, "it to be listed")
        asked = len(origin.log)

        assert json.loads(cache(proxy, "show", url, "--json"))[0]["body_bytes"] == len(LARGE)
        assert json.loads(cache(proxy, "stats", "--json"))["by_use"]["fresh"]["entries"] == 1
        assert cache(proxy, "verify") == b"1 checked: 1 sound.\n"
        assert cache(proxy, "export", url, "--output", "-") == LARGE

        assert is_hit(proxy, url)
        assert len(origin.log) == asked


def test_all_works_the_same_when_the_proxy_is_gone(tmp_path):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path) as proxy:
        url = origin.url + "/a"
        keep(proxy, url)
        assert proxy.stop() == 0

        assert listed(proxy) == {url}
        assert cache(proxy, "verify", url) == b"1 checked: 1 sound.\n"
        assert cache(proxy, "purge", "--all") == b"1 stored response removed.\n"
        assert listed(proxy) == set()


def test_a_cache_in_the_proxys_memory_is_reached_through_its_admin_server(tmp_path):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path, cache={"store": "memory"}) as proxy:
        url = origin.url + "/a"
        keep(proxy, url)

        assert listed(proxy, "--admin", proxy.admin) == {url}
        assert cache(proxy, "purge", "--admin", proxy.admin, url) == b"1 stored response removed.\n"
        assert not is_hit(proxy, url)
        cache(proxy, "show", url, exit_code=2)


def test_what_a_post_through_another_process_changes_meanwhile_is_not_kept(tmp_path):
    """Two proxies on one state directory: the GET goes out through one, and the POST is answered through the other."""
    asked, changed = threading.Event(), threading.Event()

    async def handle(peer):
        while (seen := await peer.request()) is not None:
            if seen.method == "GET" and not changed.is_set():
                asked.set()
                await asyncio.to_thread(changed.wait, 30)
            peer.send(response(body=b"what there was", fields=[("Cache-Control", "max-age=600")]))

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    shared = {"state_dir": str(tmp_path / "state")}
    with (
        ThreadedOrigin(handle) as origin,
        running_proxy(first, **shared) as one,
        running_proxy(second, **shared) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        url = origin.url + "/a"
        getting = pool.submit(one.get, url)
        assert asked.wait(30)
        assert other.get(url, method="POST", body=b"news").status == 200
        changed.set()
        assert getting.result(30).status == 200

        assert not is_hit(one, url)
        wait_until(lambda: is_hit(one, url), "the next answer to be kept")
