import contextlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.config.keys import all_keys
from sluicegate.config.load import load_settings, load_with_fallback
from sluicegate.config.models import Settings
from sluicegate.config.values import Address
from sluicegate.core.limits.model import Rate
from sluicegate.errors import ConfigError

GOLDEN = Path(__file__).parent / "golden"

MINIMAL = """
listen: 127.0.0.1:3128
admin: 127.0.0.1:9090
state_dir: ./state
workers: 1
log: {file: ./state/proxy.log}       # default: stdout
limits:
  backend: sqlite                    # sqlite | memory | redis
  redis_url: redis://127.0.0.1:6379/0
  max_inflight: 500
  default: {rates: ["10/second"], concurrency: 8, max_wait: 60s, max_queue: 10000}
  hosts:
    "api.example.com": {rates: ["5/second", "1000/hour"]}
    "*.example.org": {rates: ["1/3second"], concurrency: 2}
    "127.0.0.1": {rates: unlimited}
cache:
  mode: shared                       # shared | private | off
  store: disk                        # disk | memory | redis
  max_size: 10GiB
  targeted: []                       # RFC 9213 list, e.g. [CDN-Cache-Control]
https: {mode: intercept, tunnel: ["*.bank.example"], upstream_ca: null}
access: {allow: [], allow_private: false}
"""


@pytest.fixture
def write(tmp_path):
    def write(text, name="sluicegate.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def problems_of(*args, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load_settings(*args, **kwargs)
    return [str(problem) for problem in caught.value.problems]


def test_the_minimal_file_loads(write, tmp_path):
    settings = load_settings(write(MINIMAL)).settings

    assert settings.listen == Address("127.0.0.1", 3128)
    assert settings.limits.hosts["api.example.com"].rates == (Rate(1.0, 5), Rate(3600.0, 1000))
    assert settings.limits.hosts["*.example.org"].rates == (Rate(3.0, 1),)
    assert settings.limits.hosts["127.0.0.1"].rates == ()
    assert settings.https.tunnel == ("*.bank.example",)
    assert settings.cache.max_size == 10 * 2**30
    assert settings.state_dir == tmp_path / "state"


def test_nothing_given_means_the_defaults():
    assert load_settings(None, {"HOME": "/home/ada"}).settings == Settings(
        state_dir="/home/ada/.local/state/sluicegate"
    )


@pytest.mark.parametrize("case", sorted(path.stem for path in GOLDEN.glob("*.yaml")))
def test_a_bad_file_gives_every_problem_with_file_line_key_found_and_allowed(case, monkeypatch):
    monkeypatch.chdir(GOLDEN)

    found = problems_of(Path(f"{case}.yaml"))

    assert found == Path(f"{case}.txt").read_text().splitlines()


def test_each_source_overrides_the_one_below_key_by_key(write):
    file = write(
        "limits: {max_inflight: 1, default: {concurrency: 1, max_queue: 1, rates: 1/second}, backend: memory}\n"
        "header_limit: 8KiB\n"
    )
    rates = write("default: {concurrency: 3, max_queue: 3, rates: 3/second}\n", "rates.yaml")
    environ = {"SLUICEGATE_LIMITS__DEFAULT__MAX_QUEUE": "2", "SLUICEGATE_LIMITS__MAX_INFLIGHT": "2"}
    overrides = {("limits", "default", "rates"): ("--rate-default", "4/second")}

    loaded = load_settings(file, environ, overrides, rate_config=rates)

    limits = loaded.settings.limits
    assert loaded.settings.header_limit == 8192
    assert limits.backend == "memory"
    assert limits.max_inflight == 2
    assert (limits.default.concurrency, limits.default.max_queue) == (3, 3)
    assert limits.default.rates == (Rate(1.0, 4),)
    assert loaded.sources["header_limit"] == f"{file}:2"
    assert loaded.sources["limits.max_inflight"] == "environment variable SLUICEGATE_LIMITS__MAX_INFLIGHT"
    assert loaded.sources["limits.default.concurrency"] == f"{rates}:1"
    assert loaded.sources["limits.default.rates"] == "option --rate-default"
    assert loaded.files == (file, rates)


def test_hosts_of_several_sources_merge_by_what_they_match(write):
    file = write("limits: {hosts: {API.example.com.: {rates: 1/second, concurrency: 3}, b.example: {rates: 2/second}}}")
    overrides = {("limits", "hosts", "api.example.com", "rates"): ("--rate-host", "9/second")}

    hosts = load_settings(file, {}, overrides).settings.limits.hosts

    assert list(hosts) == ["api.example.com", "b.example"]
    assert hosts["api.example.com"].rates == (Rate(1.0, 9),)
    assert hosts["api.example.com"].concurrency == 3


def test_environment_values_may_be_lists_and_mappings():
    settings = load_settings(
        None,
        {
            "SLUICEGATE_LIMITS__DEFAULT__RATES": '["5/second", "100/hour"]',
            "SLUICEGATE_LIMITS__HOSTS": '{"*.example.org": {rates: 1/minute}}',
            "SLUICEGATE_ACCESS__ALLOW": "10.0.0.0/8",
            "SLUICEGATE_ADMIN": "off",
        },
    ).settings

    assert settings.limits.default.rates == (Rate(1.0, 5), Rate(3600.0, 100))
    assert settings.limits.hosts["*.example.org"].rates == (Rate(60.0, 1),)
    assert [str(network) for network in settings.access.allow] == ["10.0.0.0/8"]
    assert settings.admin is None


def test_an_unknown_variable_is_a_problem_that_names_it():
    (problem,) = problems_of(None, {"SLUICEGATE_LIMITS__DEFAULT__RATE": "5/second"})

    assert problem.startswith("environment variable SLUICEGATE_LIMITS__DEFAULT__RATE: sets no known key")


def test_a_bad_variable_and_a_bad_option_are_told_with_the_bad_file(write):
    found = problems_of(
        write("cache: {mode: of}"),
        {"SLUICEGATE_LOG__LEVEL": "loud"},
        {("limits", "max_inflight"): ("--rate-max-inflight", "many")},
    )

    assert [problem.split(": ")[:2] for problem in found] == [
        [f"{found[0].split(':')[0]}:1", "cache.mode"],
        ["environment variable SLUICEGATE_LOG__LEVEL", "log.level"],
        ["option --rate-max-inflight", "limits.max_inflight"],
    ]


def test_a_bad_value_is_told_even_where_another_source_overrides_it(write):
    (problem,) = problems_of(write("cache: {mode: of}"), {"SLUICEGATE_CACHE__MODE": "off"})

    assert "cache.mode" in problem


def test_variables_that_kubernetes_sets_for_a_service_of_this_name_are_passed_over():
    load_settings(
        None,
        {
            "SLUICEGATE_PORT": "tcp://10.0.0.1:3128",
            "SLUICEGATE_PORT_3128_TCP_ADDR": "10.0.0.1",
            "SLUICEGATE_SERVICE_HOST": "10.0.0.1",
            "SLUICEGATE_SERVICE_PORT_ADMIN": "9090",
        },
    )


@pytest.mark.parametrize("name", ["SLUICEGATE_PORT", "SLUICEGATE_LISTEN_PORT"])
def test_a_port_variable_that_a_person_wrote_is_a_problem(name):
    assert name in problems_of(None, {name: "3128"})[0]


def test_a_variable_names_the_file(write):
    file = write("header_limit: 8KiB")

    loaded = load_settings(None, {"SLUICEGATE_CONFIG": str(file)})

    assert loaded.file == file
    assert loaded.settings.header_limit == 8192


def test_relative_paths_start_where_they_are_written(tmp_path, monkeypatch):
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "sluicegate.yaml"
    file.write_text("state_dir: ./state\nlog: {file: ~/proxy.log}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")

    from_file = load_settings(file).settings
    from_option = load_settings(file, {}, {("state_dir",): ("--state-dir", "elsewhere")}).settings

    assert from_file.state_dir == tmp_path / "etc" / "state"
    assert from_file.log.file == Path("/home/ada/proxy.log")
    assert from_option.state_dir == tmp_path / "elsewhere"


def test_a_directory_may_have_a_name_that_yaml_reads_as_a_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert load_settings(None, {"SLUICEGATE_STATE_DIR": "5"}).settings.state_dir == tmp_path / "5"


def test_a_token_of_digits_stays_as_it_is_in_a_variable():
    token = load_settings(None, {"SLUICEGATE_ADMIN_TOKEN": "00001111222233334444"}).settings.admin_token

    assert token.get_secret_value() == "00001111222233334444"


@pytest.mark.parametrize("text", ["rates", "limits: {default: {rates: 7/second}}", "default: {rates: 7/second}"])
def test_a_rate_file_holds_the_limits_section_with_or_without_its_name(write, text):
    file = write(text)
    if text == "rates":
        assert problems_of(rate_config=file) == [f"{file}: must hold keys and values"]
    else:
        assert load_settings(rate_config=file).settings.limits.default.rates == (Rate(1.0, 7),)


def test_a_rate_file_may_not_hold_other_sections(write):
    file = write("limits: {}\ncache: {mode: off}\n")

    assert problems_of(rate_config=file) == [f"{file}:2: cache: does not belong in a file that holds limits alone"]


def test_a_section_with_nothing_in_it_is_as_if_it_were_not_there(write):
    assert (
        load_settings(write("cache:\nlimits:\n  hosts:\n  default:\naccess: {users: }\n")).settings.cache.mode
        == "shared"
    )


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path):
    assert problems_of(tmp_path / "no.yaml") == [f"{tmp_path}/no.yaml: cannot be read: No such file or directory"]


def test_a_file_that_is_not_utf8_is_a_problem(tmp_path):
    file = tmp_path / "latin.yaml"
    file.write_bytes(b"# one\nlisten: \xe9\n")

    assert problems_of(file) == [f"{file}:2: is not UTF-8 text"]


def test_the_checksum_changes_with_what_is_in_force_and_not_with_how_it_is_written(write):
    one = load_settings(write("cache: {mode: private}")).checksum
    same = load_settings(write("# a comment\ncache:\n  mode: private\n")).checksum
    other = load_settings(write("cache: {mode: off}")).checksum

    assert one == same != other


def test_with_fallback_a_bad_file_means_the_defaults_and_tells_why(write):
    file = write("cache: {mode: of}\nheader_limit: 8KiB")
    overrides = {("listen",): ("--listen", "127.0.0.1:4000")}

    loaded = load_with_fallback(file, {"SLUICEGATE_CONFIG": str(file)}, overrides)

    assert loaded.settings.header_limit == Settings().header_limit
    assert loaded.settings.listen.port == 4000
    assert [problem.key for problem in loaded.fallback] == ["cache.mode"]
    assert loaded.files == (file,), "so that it is noticed when somebody mends it"


def test_with_fallback_a_good_file_counts(write):
    loaded = load_with_fallback(write("header_limit: 8KiB"))

    assert loaded.settings.header_limit == 8192
    assert loaded.fallback == ()


def test_fallback_never_opens_an_address_without_the_access_that_the_file_held(write):
    file = write("access: {allow: [10.0.0.0/8]}\ncache: {mode: of}")

    with pytest.raises(ConfigError, match=r"cache\.mode"):
        load_with_fallback(file, {}, {("listen",): ("--listen", "0.0.0.0:3128")})


def test_no_problem_shows_a_password(write):
    text = "admin_token: hunter2\nupstream_proxy: http://bob:hunter2@proxy\naccess: {users: {bob: hunter2}}\nlimits: {redis_url: 5}\n"

    assert "hunter2" not in "\n".join(problems_of(write(text)))


def test_a_file_that_nests_without_end_is_a_problem(write):
    (problem,) = problems_of(write("a: " + "[" * 5000))

    assert "is nested too deeply" in problem


NAMES = [*sorted({key.path[-1] for key in all_keys()}), "a.example", "*.b.example", "nonsense"]
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["~x", "5s", "1KiB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
)


@given(st.dictionaries(st.sampled_from(NAMES), TREES, max_size=6))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_whatever_a_file_holds_it_loads_or_is_a_configuration_error(tree):
    with tempfile.TemporaryDirectory() as directory, contextlib.suppress(ConfigError):
        file = Path(directory) / "f.yaml"
        file.write_text(json.dumps(tree))
        load_settings(file)
