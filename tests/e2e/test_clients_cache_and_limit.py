"""The programs people download with, each as it comes, through `sluicegate run`.

Whatever a program asks for twice, the second time from another process behind another proxy on the same state
directory, its origin is asked once; and its origin is never asked faster than the limit. Both are read from the
origin's own log.
"""

from collections import Counter

import pytest

from support.clients import FETCHERS, PER_SECOND, npm_install, pip_download
from support.origin import ThreadedOrigin, answer
from support.registry import Resource, git_repository, npm_registry, python_index, serve
from support.windows import JITTER_S, worst_window

PAGES = {f"/page/{number}": Resource(f"page {number}\n".encode(), "text/plain") for number in range(PER_SECOND + 2)}
ALL_PAGES = b"".join(page.content for page in PAGES.values())
NAMES = ("alpha", "beta", "gamma")

# npm takes every https origin with an address for "localhost", whatever the proxy: names for https, then.
WAYS = [("http", "127.0.0.1"), ("https", "localhost")]
plain_and_tls = pytest.mark.parametrize(("scheme", "host"), WAYS)


@pytest.fixture
def origin_of(private_ca):
    """Makes an origin of a site; for https with a certificate of the private authority."""

    def origin_of(site, scheme):
        certificate = private_ca.certificate if scheme == "https" else None
        return ThreadedOrigin(answer(serve(site, scheme)), tls=certificate)

    return origin_of


def asked(origin):
    """How often the origin was asked for each target."""
    return Counter(seen.target for seen in origin.log)


def assert_limit_held(origin):
    assert len(origin.log) > PER_SECOND, "too few requests to show a limit"
    assert worst_window((seen.at for seen in origin.log), 1 - JITTER_S) <= PER_SECOND


@pytest.mark.parametrize(
    ("client", "scheme", "host"),
    [
        *((client, *way) for client in FETCHERS for way in WAYS),
        ("curl", "http", "localhost"),
        ("curl", "https", "127.0.0.1"),
    ],
)
def test_a_client_is_held_to_the_limit_and_served_from_the_cache(client, scheme, host, shells, origin_of):
    with origin_of(PAGES, scheme) as origin:
        command = FETCHERS[client]([f"{scheme}://{host}:{origin.port}{page}" for page in PAGES])
        bodies = [shell.call(*command) for shell in shells]

        assert bodies == [ALL_PAGES, ALL_PAGES]
        assert asked(origin) == dict.fromkeys(PAGES, 1)
        assert_limit_held(origin)


@plain_and_tls
def test_pip_is_held_to_the_limit_and_gets_wheels_from_the_cache(scheme, host, shells, origin_of, tmp_path):
    with origin_of(python_index(*NAMES), scheme) as origin:
        for number, shell in enumerate(shells):
            target = tmp_path / str(number)
            shell.call(*pip_download(f"{scheme}://{host}:{origin.port}/simple", target, *NAMES))
            assert sorted(file.name for file in target.iterdir()) == [f"{name}-1.0-py3-none-any.whl" for name in NAMES]

        wheels = {target: count for target, count in asked(origin).items() if target.startswith("/files/")}
        assert wheels == {f"/files/{name}-1.0-py3-none-any.whl": 1 for name in NAMES}
        assert_limit_held(origin)


@plain_and_tls
def test_npm_is_held_to_the_limit_and_gets_packages_from_the_cache(scheme, host, shells, origin_of, tmp_path):
    with origin_of(npm_registry(*NAMES), scheme) as origin:
        for number, shell in enumerate(shells):
            target = tmp_path / str(number)
            target.mkdir()
            shell.call(*npm_install(f"{scheme}://{host}:{origin.port}/", target, *NAMES))
            assert all((target / "node_modules" / name / "package.json").exists() for name in NAMES)

        assert asked(origin) == dict.fromkeys(npm_registry(*NAMES), 1)
        assert_limit_held(origin)


@plain_and_tls
def test_git_is_held_to_the_limit_and_gets_objects_from_the_cache(scheme, host, shells, origin_of, tmp_path):
    with origin_of(git_repository(tmp_path / "made"), scheme) as origin:
        for number, shell in enumerate(shells):
            target = tmp_path / str(number)
            shell.call("git", "clone", "--quiet", f"{scheme}://{host}:{origin.port}/repo.git", str(target))
            assert (target / "file.txt").read_text() == "version 2\n"

        objects = [count for target, count in asked(origin).items() if target.startswith("/repo.git/objects/")]
        assert objects == [1] * 6, "two commits, two trees, two files"
        assert_limit_held(origin)
