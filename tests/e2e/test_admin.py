"""Managing the cache as an operator does: with curl and the token."""

import json
import stat
import subprocess

import pytest

from support.origin import ThreadedOrigin, answer, response
from support.proxy import COMMAND, clean_environ, running_proxy, wait_until

KEPT = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600"), ("Cache-Tag", "news")]))


def curl(*arguments):
    """What curl prints."""
    command = ["curl", "-sS", "--max-time", "20", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=clean_environ()).stdout


def api(proxy, path, *arguments, token=None):
    """The admin API's answer, and its status."""
    given = token_of(proxy) if token is None else token
    said = curl(
        "-w", "\n%{http_code}", "-H", f"Authorization: Bearer {given}", *arguments, f"http://{proxy.admin}{path}"
    )
    body, _, status = said.rpartition("\n")
    return int(status), body


def listed(proxy, query=""):
    """The URLs that the API lists."""
    status, body = api(proxy, f"/api/cache{query}")
    assert status == 200, body
    return {json.loads(line)["url"] for line in body.splitlines()}


def token_of(proxy):
    return (proxy.state_dir / "admin.token").read_text().strip()


def is_hit(proxy, url):
    return "; hit" in proxy.get(url).get("Cache-Status")


def keep(proxy, *urls):
    """Have these stored, and found by everyone."""
    for url in urls:
        wait_until(lambda url=url: is_hit(proxy, url), f"{url} to be stored")


@pytest.mark.parametrize("workers", [1, 2])
def test_the_cache_is_listed_and_purged_by_http(tmp_path, workers):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path, workers=workers) as proxy:
        keep(proxy, origin.url + "/a", origin.url + "/b")

        urls = {origin.url + "/a", origin.url + "/b"}
        wait_until(lambda: listed(proxy, "?tag=news") == urls, "both to be listed")

        status, answered = api(proxy, "/api/cache/purge", "-d", json.dumps({"url": origin.url + "/a"}))
        removed = json.loads(answered)["removed"]
        assert status == 200
        assert 1 <= removed <= workers, "each worker may have kept it for itself when both were asked at once"
        asked = len(origin.log)
        assert not is_hit(proxy, origin.url + "/a"), "whichever worker answers"
        assert len(origin.log) == asked + 1
        assert is_hit(proxy, origin.url + "/b")

        line = proxy.await_log(event="purged")
        assert (line["stage"], line["client"], line["removed"]) == ("admin", "127.0.0.1", removed)
        assert line["selection"] == {"url": origin.url + "/a"}


@pytest.mark.parametrize("workers", [1, 2])
def test_purge_through_the_proxy(tmp_path, workers):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path, workers=workers) as proxy:
        keep(proxy, origin.url + "/a")
        asked = len(origin.log)

        said = curl("-x", proxy.url, "-X", "PURGE", "-H", f"Sluicegate-Token: {token_of(proxy)}", origin.url + "/a")

        assert 1 <= json.loads(said)["removed"] <= workers
        assert len(origin.log) == asked
        assert not is_hit(proxy, origin.url + "/a")
        assert proxy.await_log(event="purged")["url"] == origin.url + "/a"


def test_purge_inside_intercepted_tls(tmp_path, private_ca):
    https = {"upstream_ca": str(private_ca.file)}
    with (
        ThreadedOrigin(KEPT, tls=private_ca.certificate) as origin,
        running_proxy(tmp_path, https=https) as proxy,
    ):
        url = f"https://127.0.0.1:{origin.port}/a"
        through = ("-x", proxy.url, "--cacert", str(proxy.ca))
        wait_until(lambda: "; hit" in curl(*through, "-D", "-", url), "the response to be kept")
        asked = len(origin.log)

        said = curl(*through, "-X", "PURGE", "-H", f"Sluicegate-Token: {token_of(proxy)}", url)

        assert json.loads(said) == {"removed": 1}
        assert len(origin.log) == asked
        assert "; hit" not in curl(*through, "-D", "-", url)


def test_without_the_token_nobody_gets_anywhere(tmp_path):
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path) as proxy:
        keep(proxy, origin.url + "/a")

        for token in ("", "wrong", token_of(proxy)[:-1]):
            status, body = api(proxy, "/api/cache/purge", "-d", '{"all": true}', token=token)
            assert (status, json.loads(body)["status"]) == (401, 401)
        refused = curl("-x", proxy.url, "-X", "PURGE", "-H", "Sluicegate-Token: wrong", origin.url + "/a")
        assert json.loads(refused)["status"] == 403

        assert is_hit(proxy, origin.url + "/a")


def test_the_configured_token_counts_and_is_written_nowhere(tmp_path):
    token = "configured-0123456789"
    with ThreadedOrigin(KEPT) as origin, running_proxy(tmp_path, admin_token=token) as proxy:
        keep(proxy, origin.url + "/a")

        assert api(proxy, "/api/cache/purge", "-d", '{"all": true}', token=token)[0] == 200
        curl("-x", proxy.url, "-X", "PURGE", "-H", f"Sluicegate-Token: {token}", origin.url + "/a")
        curl("-x", proxy.url, "-X", "PURGE", "-H", f"Sluicegate-Token: {token}x", origin.url + "/a")
        curl("-x", proxy.url, "-H", f"Sluicegate-Token: {token}", origin.url + "/a?fresh")

        assert not (proxy.state_dir / "admin.token").exists()
        checked = subprocess.run(
            [*COMMAND, "check", "--json", "--config", str(proxy.config_file)],
            env=clean_environ(),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert proxy.stop() == 0
        assert token not in proxy.log_file.read_text() + checked.stdout + checked.stderr
        assert all(seen.get("Sluicegate-Token") is None for seen in origin.log)


def test_a_token_of_the_environment_wins(tmp_path):
    environ = clean_environ(SLUICEGATE_ADMIN_TOKEN="0123456789012345")
    with running_proxy(tmp_path, environ=environ, admin_token="of-the-file-0123456789") as proxy:
        assert api(proxy, "/api/cache", token="0123456789012345") == (200, "")
        assert api(proxy, "/api/cache", token="of-the-file-0123456789")[0] == 401


def test_the_token_outlives_a_restart_and_belongs_to_its_owner(tmp_path):
    with running_proxy(tmp_path) as proxy:
        first = token_of(proxy)
        assert stat.S_IMODE((proxy.state_dir / "admin.token").stat().st_mode) == 0o600
    with running_proxy(tmp_path) as proxy:
        assert token_of(proxy) == first
        assert api(proxy, "/api/cache")[0] == 200


def test_a_token_file_that_all_can_read_stops_the_start_with_the_cure(tmp_path):
    with running_proxy(tmp_path) as proxy:
        file = proxy.state_dir / "admin.token"
    file.chmod(0o644)

    ended = subprocess.run(
        [*COMMAND, "serve", "--config", str(proxy.config_file)],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "chmod 600" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_clients_that_may_not_use_the_proxy_may_not_purge_either(tmp_path):
    access = {"users": {"ann": "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$" + "A" * 43 + "="}, "allow_private": True}
    with running_proxy(tmp_path, access=access) as proxy:
        reply = proxy.get("http://127.0.0.1:1/", method="PURGE", sluicegate_token=token_of(proxy))

        assert reply.status == 407
        assert not proxy.log_lines(event="purged")
