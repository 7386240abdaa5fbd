import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sluicegate.cli.main import group
from sluicegate.config.passwords import hash_password

TEXT = """
limits:
  default: {rates: 10/second}
  hosts:
    api.example.com: {rates: ["5/second", "1000/hour"], concurrency: 2}
    "*.example.org": {rates: 1/3second}
    exempt.example: {rates: unlimited}
https: {tunnel: ["*.bank.example"]}
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "sluicegate.yaml"
    path.write_text(TEXT)
    return path


def check(*words, env=None):
    return CliRunner().invoke(group, ["check", *map(str, words)], env=env)


def test_the_effective_limits_of_every_host_are_shown_with_how_they_are_kept(file):
    result = check("--config", file)

    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines() if "  " in line.strip()}
    assert rows["api.example.com"] == ["5/second", "1000/hour", "2", "1m", "10000", "sliding-window-log"]
    assert rows["*.example.org"] == ["1/3second", "8", "1m", "10000", "sliding-window-log"]
    assert rows["exempt.example"] == ["unlimited", "8", "1m", "10000", "none"]
    assert rows["default"] == ["10/second", "8", "1m", "10000", "sliding-window-log"]


def test_how_many_processes_auto_means_is_told(monkeypatch):
    monkeypatch.setattr("sluicegate.workers.count.usable_cpus", lambda: 6)

    assert "workers    6 (auto)" in check(env={"SLUICEGATE_WORKERS": "auto"}).output
    assert "workers    3\n" in check(env={"SLUICEGATE_WORKERS": "3"}).output


@pytest.mark.parametrize(
    ("url", "limit", "counted_for", "https"),
    [
        ("https://api.example.com/v1?x=1", "api.example.com", "api.example.com", "intercept"),
        ("https://API.EXAMPLE.COM:8443/", "api.example.com", "api.example.com", "intercept"),
        ("http://a.b.example.org/", "*.example.org", "a.b.example.org", None),
        ("https://example.org/", "default", "example.org", "intercept"),
        ("https://www.bank.example/", "default", "www.bank.example", "tunnel"),
        ("http://[::1]:8080/", "default", "::1", None),
        ("api.example.com", "api.example.com", "api.example.com", "intercept"),
    ],
)
def test_a_url_is_told_its_limit_and_what_happens_to_its_https(file, url, limit, counted_for, https):
    told = json.loads(check("--config", file, "--json", "--url", url).stdout)["url"]

    assert (told["limit"], told["counted_for"], told["https"]) == (limit, counted_for, https)


def test_a_url_is_told_to_people_too(file):
    output = check("--config", file, "--url", "https://www.bank.example/").output

    assert "default: 10/second" in output
    assert "tunnelled" in output


@pytest.mark.parametrize("url", ["ftp://example.org/", "https://", "https://a b/", "http://[::1/", ""])
def test_what_is_no_url_is_a_usage_error(file, url):
    assert check("--config", file, "--url", url).exit_code == 2


def test_warnings_do_not_make_it_bad(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text("limits: {hosts: {a.example: {rates: [10/second, 5/minute]}}}")
    result = check("--config", file)

    assert result.exit_code == 0
    assert 'Warning: limits.hosts."a.example".rates: 10/second is never reached' in result.output


def test_problems_as_json(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("limits:\n  default: {rates: 10/fortnight}\n")
    result = check("--config", file, "--json")

    (problem,) = json.loads(result.stdout)["problems"]
    assert result.exit_code == 2
    assert (problem["source"], problem["line"], problem["key"]) == (str(file), 2, "limits.default.rates")
    assert problem["found"] == '"10/fortnight"'
    assert "10/second" in problem["allowed"]


def test_a_bad_file_is_bad_even_with_fallback_defaults(tmp_path):
    assert check("--config", tmp_path / "none.yaml", "--fallback-defaults").exit_code == 2


def test_neither_passwords_nor_their_hashes_are_printed(tmp_path):
    hashed = hash_password("hunter2")
    file = tmp_path / "f.yaml"
    file.write_text(f"access: {{users: {{bob: {hashed}}}}}\nupstream_proxy: http://ada:hunter2@proxy.example:8080\n")

    for words in ((), ("--json",)):
        result = check("--config", file, *words)
        assert result.exit_code == 0
        assert "bob" in result.output
        assert "hunter2" not in result.output
        assert "scrypt" not in result.output


def test_the_environment_and_the_options_count(file):
    env = {"SLUICEGATE_LIMITS__DEFAULT__RATES": "7/second", "SLUICEGATE_CONFIG": str(file)}

    told = json.loads(check("--json", "--rate-host", "new.example=3/second", env=env).stdout)

    assert told["file"] == str(file)
    assert told["limits"]["default"]["rates"] == ["7/second"]
    assert told["limits"]["new.example"]["rates"] == ["3/second"]
    assert told["limits"]["exempt.example"]["rates"] == "unlimited"


def test_a_pipe_gets_no_colours_and_long_lines_stay_whole(tmp_path):
    host = "a" * 60 + "." + "b" * 60 + "." + "c" * 60 + ".example"
    file = tmp_path / "f.yaml"
    file.write_text(f"limits: {{hosts: {{{host}: {{rates: [1/second, 2/minute, 3/hour, 4/day, 5/week]}}}}}}")

    output = check("--config", file).output

    assert "\x1b" not in output
    assert f"{host}  1/second 2/min 3/hour 4/day 5/week" in output


RULES = """
cache:
  rules:
    - {hosts: a.example, paths: [/pool/*], ttl: 10m, ignore_query: [utm_*]}
    - {hosts: ["*.b.example"], never: true}
"""


def test_that_nothing_leaves_is_said(tmp_path):
    assert "offline    no request leaves" in check("--offline", "true").output
    assert "offline" not in check().output


def test_cache_rules_are_named_with_what_they_depart_from(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(RULES)

    output = check("--config", file, "--url", "https://a.example/pool/x?y").output
    assert "cache.rules[0]  a.example, /pool/*\n    ttl: fresh for 10 min 0 s, whatever the response says" in output
    assert "ignore_query: parameters named utm_* are no part of the key (not RFC 9111 §4)" in output
    assert "cache.rules[1]  *.b.example, every path\n    never:" in output
    assert "cached     by cache.rules[0]" in output


def test_cache_rules_as_json(tmp_path):
    file = tmp_path / "f.yaml"
    file.write_text(RULES)

    told = json.loads(check("--config", file, "--json", "--url", "http://x.b.example/").stdout)
    assert [rule["hosts"] for rule in told["cache_rules"]] == [["a.example"], ["*.b.example"]]
    assert told["cache_rules"][1]["effects"][0].startswith("never:")
    assert told["url"]["cache_rule"] == 1


def test_without_cache_rules_nothing_is_said_of_them(file):
    assert "ache rules" not in check("--config", file).output


@pytest.mark.parametrize("name", ["sluicegate.yaml", "crawler.yaml", "api-quota.yaml", "sidecar.yaml"])
def test_the_shipped_examples_are_good(name):
    assert check("--config", Path(__file__).parents[2] / "config" / name).exit_code == 0
