import json
import signal
import subprocess

import pytest

from sluicegate.cli.cache.warming_run import Job
from support.origin import ThreadedOrigin, response
from support.proxy import COMMAND, clean_environ


def start(directory, *words):
    return subprocess.Popen(
        [*COMMAND, "cache", "warm", "--state-dir", str(directory / "state"), "--json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environ(),
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, number):
    answered = 0

    async def handle(peer):
        nonlocal answered
        while await peer.request() is not None:
            answered += 1
            if 5 < answered <= 13:
                await peer.gone()  # the first run is stopped in the middle of these
                return
            peer.send(response(body=b"x", fields=[("Cache-Control", "no-store")]))

    with ThreadedOrigin(handle) as origin:
        file = tmp_path / "urls.txt"
        file.write_text("".join(f"{origin.url}/{n}\n" for n in range(20)))
        rates = ("--rate-default", "unlimited")
        first = start(tmp_path, str(file), *rates)
        origin.until(lambda server: len(server.log) == 13)
        first.send_signal(number)
        told, _ = first.communicate(timeout=30)
        second = start(tmp_path, str(file), *rates)
        again, errors = second.communicate(timeout=30)

    stopped, done = json.loads(told), json.loads(again)
    assert first.returncode == 130
    assert (stopped["interrupted"], stopped["tried"]) == (True, 5)
    assert second.returncode == 0, errors
    assert (done["skipped"], done["tried"], done["interrupted"]) == (5, 15, False)
    assert not list((tmp_path / "state" / "warm").iterdir())


def job(*sources, **members):
    base = {
        "sitemaps": (),
        "fields": [],
        "refresh": False,
        "restart": False,
        "any_host": False,
        "dry_run": False,
        "at_most": None,
        "concurrency": 8,
    }
    return tuple(Job(sources, **(base | members)).identity())


def test_the_same_job_is_known_by_what_it_fetches_and_not_by_how_fast(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert job("urls.txt") == job(str(tmp_path / "urls.txt"), concurrency=1, at_most=5)
    assert job("urls.txt") != job("other.txt")
    assert job("urls.txt") != job("urls.txt", refresh=True)
    assert job("urls.txt") != job("urls.txt", fields=[(b"Accept", b"x")])
