import click
import pytest
from click.testing import CliRunner

from sluicegate.cli.options import FLAGS, arguments, collect, overrides, proxy_options
from sluicegate.core.limits.model import Rate
from sluicegate.errors import ConfigError


def parse(*words):
    """The parameters that a command with `proxy_options` gets for these words."""
    seen = {}

    @click.command()
    @proxy_options
    def command(**parameters):
        seen.update(parameters)

    result = CliRunner().invoke(command, list(words))
    assert result.exit_code == 0, result.output
    return seen


def test_every_option_reaches_its_key(tmp_path):
    words = [
        "--listen",
        "[::1]:1",
        "--admin",
        "off",
        "--log-format",
        "json",
        "--log-level",
        "debug",
        "--rate-default",
        "5/second,100/hour",
        "--rate-host",
        "a.example=1/second",
        "--rate-host",
        "*.b.example=unlimited",
        "--rate-backend",
        "memory",
        "--rate-max-inflight",
        "7",
        "--cache",
        "private",
        "--https",
        "tunnel",
        "--offline",
        "true",
    ]
    words += ["--state-dir", str(tmp_path), "--log-file", str(tmp_path / "log")]

    settings = collect(parse(*words), {}).settings

    assert str(settings.listen) == "[::1]:1"
    assert settings.admin is None
    assert (settings.log.format, settings.log.level, settings.log.file) == ("json", "debug", tmp_path / "log")
    assert settings.limits.default.rates == (Rate(1.0, 5), Rate(3600.0, 100))
    assert settings.limits.hosts["a.example"].rates == (Rate(1.0, 1),)
    assert settings.limits.hosts["*.b.example"].rates == ()
    assert (settings.limits.backend, settings.limits.max_inflight) == ("memory", 7)
    assert (settings.cache.mode, settings.https.mode, settings.state_dir) == ("private", "tunnel", tmp_path)
    assert settings.cache.offline is True


def test_every_flag_names_a_key_that_exists():
    for flag in FLAGS:
        collect({}, {})
        assert overrides({flag.parameter: "1"}) == {tuple(flag.key.split(".")): (flag.name, 1 if flag.number else "1")}


def test_no_option_means_nothing_is_overridden():
    assert overrides(parse()) == {}


@pytest.mark.parametrize(
    ("words", "source"),
    [
        (("--rate-host", "a.example"), "option --rate-host"),
        (("--rate-host", "=1/second"), "option --rate-host"),
        (("--rate-host", "a.example=10/fortnight"), "option --rate-host"),
        (("--rate-max-inflight", "many"), "option --rate-max-inflight"),
        (("--rate-max-inflight", "-1"), "option --rate-max-inflight"),
        (("--log-level", "loud"), "option --log-level"),
        (("--rate-backend", "redis://:pw@h:1"), "option --rate-backend"),
        (("--rate-config", "/nowhere.yaml"), "/nowhere.yaml"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_a_bad_option_is_a_problem_that_names_it(words, source):
    with pytest.raises(ConfigError) as caught:
        collect(parse(*words), {})

    assert {problem.source for problem in caught.value.problems} == {source}
    assert "pw" not in str(caught.value)


def test_fallback_defaults(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("listen: 5")

    loaded = collect(parse("--config", str(file), "--fallback-defaults", "--cache", "off"), {})

    assert str(loaded.settings.listen) == "127.0.0.1:3128"
    assert loaded.settings.cache.mode == "off"
    assert loaded.fallback


def test_the_same_options_can_be_given_to_another_command():
    words = [
        "--config",
        "f.yaml",
        "--listen",
        "127.0.0.1:0",
        "--rate-default",
        "5/second",
        "--rate-host",
        "a.example=1/second",
        "--rate-host",
        "b.example=2/second",
        "--rate-backend",
        "memory",
        "--rate-config",
        "r.yaml",
        "--fallback-defaults",
    ]

    assert parse(*arguments(parse(*words))) == parse(*words)
