import pytest

from sluicegate.clients.hints import HINTS, hint_for


@pytest.mark.parametrize("program", HINTS)
def test_a_program_that_no_variable_reaches_gets_its_flag(authority, program):
    hint = hint_for([f"/usr/bin/{program}", "http://x.example"], authority)

    assert hint.startswith(f"{program} ")
    assert HINTS[program][0].partition("=")[0] in hint
    assert "{" not in hint


def test_the_flag_names_a_bundle_that_exists(authority):
    hint = hint_for(["aria2c"], authority)

    assert hint.endswith(f"--ca-certificate={authority.confdir / 'bundle.pem'}")
    assert (authority.confdir / "bundle.pem").exists()


@pytest.mark.parametrize(
    "command",
    [["curl", "http://x.example"], ["aria2c", "--ca-certificate=/x"], ["apt", "-oAcquire::https::CaInfo=/x"]],
)
def test_there_is_no_hint_where_none_is_needed(authority, command):
    assert hint_for(command, authority) is None
