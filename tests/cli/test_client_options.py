import click
import pytest
from click.testing import CliRunner

from sluicegate.cli.client_options import client_options, config_options


@click.command()
@config_options("--listen")
@client_options
def told(**parameters):
    click.echo(sorted(parameters.items()))


def _told(*arguments):
    return CliRunner().invoke(told, arguments)


def test_without_options_loopback_goes_round_and_java_is_left_alone():
    assert _told().output.strip() == str(
        [("bypass", ()), ("config", None), ("java", False), ("listen", None), ("proxy_loopback", False)]
    )


def test_hosts_to_bypass_are_collected():
    assert "('bypass', ('a.test', '*.b.test'))" in _told("--bypass", "a.test", "--bypass", "*.b.test").output


@pytest.mark.parametrize("host", ["", "a b", "http://a.test", "a.test:80"])
def test_a_host_that_clients_would_not_understand_is_refused(host):
    done = _told("--bypass", host)

    assert done.exit_code == 2
    assert "--bypass" in done.output


def test_only_the_named_flags_are_there():
    assert "--state-dir" not in _told("--help").output
