import pytest

from sluicegate.config.load import load_settings
from sluicegate.errors import ConfigError

HASH = "scrypt$16384$8$1$YWFh$YWFh"


def keys_of(file, text):
    file.write_text(text)
    try:
        load_settings(file)
    except ConfigError as error:
        return [problem.key for problem in error.problems]
    return []


@pytest.fixture
def check(tmp_path):
    return lambda text: keys_of(tmp_path / "f.yaml", text)


@pytest.mark.parametrize("address", ["0.0.0.0:3128", "'[::]:3128'", "192.168.1.5:3128", "proxy.example:3128"])
def test_an_address_that_others_reach_needs_access(check, address):
    assert check(f"listen: {address}") == ["listen"]
    assert check(f"listen: {address}\naccess: {{allow: [10.0.0.0/8]}}") == []
    assert check(f"listen: {address}\naccess: {{users: {{bob: {HASH}}}}}") == []


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.1.2.3:1", "'[::1]:1'", "localhost:1"])
def test_a_loopback_address_needs_nothing(check, address):
    assert check(f"listen: {address}") == []


def test_an_empty_access_section_opens_nothing(check):
    assert check("listen: 0.0.0.0:3128\naccess:\n") == ["listen"]
    assert check("listen: 0.0.0.0:3128\naccess: {allow: [], users:}\n") == ["listen"]


def test_bad_access_is_not_told_again_as_no_access(check):
    assert check("listen: 0.0.0.0:3128\naccess: {allow: [nonsense]}") == ["access.allow[0]"]


@pytest.mark.parametrize(
    ("listen", "admin", "problems"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", ["admin"]),
        ("127.0.0.1:1", "0.0.0.0:1", ["admin"]),
        ("127.0.0.1:1", "127.0.0.2:1", []),
        ("127.0.0.1:0", "127.0.0.1:0", []),
        ("127.0.0.1:1", "off", []),
    ],
)
def test_listen_and_admin_do_not_collide(check, listen, admin, problems):
    assert check(f"listen: {listen}\nadmin: {admin}") == problems


@pytest.mark.parametrize("text", ["limits: {backend: redis}", "https: {http2: true}"])
def test_what_is_not_available_yet_is_told(check, text):
    assert len(check(text)) == 1


@pytest.mark.parametrize("text", ["workers: auto", "workers: 2", "workers: auto\nlimits: {backend: memory}"])
def test_workers_may_be_many(check, text):
    assert check(text) == []


@pytest.mark.parametrize("text", ["limits: {backend: memory}", "cache: {store: memory}"])
def test_workers_cannot_share_what_one_process_keeps_in_memory(check, text):
    assert check(f"workers: 2\n{text}") == ["workers"]
    assert check(f"workers: 1\n{text}") == []


def test_a_missing_certificate_file_is_told(check, tmp_path):
    assert check("https: {upstream_ca: ca.pem}") == ["https.upstream_ca"]
    (tmp_path / "ca.pem").write_text("")
    assert check("https: {upstream_ca: ca.pem}") == []


@pytest.mark.parametrize(
    ("rule", "keys"),
    [
        ("{never: true}", []),
        ("{never: true, ttl: null, force: false}", []),
        ("{never: true, ttl: 1m}", ["ttl"]),
        ("{never: true, sort_query: true, immutable: true}", ["immutable", "sort_query"]),
        ("{force: true}", ["force"]),
        ("{force: true, ttl: 1s}", []),
        ("{ttl: 0s}", []),
        ("{ttl: 0s, force: true}", ["force"]),
        ("{ttl: nonsense, force: true}", ["ttl"]),
        ("{ignore_query: all, sort_query: true}", ["sort_query"]),
        ("{ignore_query: [a], sort_query: true}", []),
    ],
)
def test_a_cache_rule_that_contradicts_itself_is_told_at_its_key(check, rule, keys):
    assert check(f"cache: {{rules: [{{hosts: a.example}}, {rule}]}}") == [f"cache.rules[1].{key}" for key in keys]


def test_a_private_cache_is_for_one_user(check):
    def users(names):
        return f"cache: {{mode: private}}\naccess: {{users: {{{', '.join(f'{name}: {HASH}' for name in names)}}}}}"

    assert check(users(["ann"])) == []
    assert check(users(["ann", "bob"])) == ["cache.mode"]
