from pathlib import Path

import pytest

from sluicegate.config.directories import default_state_dir


@pytest.mark.parametrize(
    ("platform", "environ", "expected"),
    [
        ("linux", {"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/sluicegate"),
        ("linux", {"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/sluicegate"),
        ("linux", {"HOME": "/h"}, "/h/.local/state/sluicegate"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Application Support/sluicegate"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/sluicegate"),
        ("win32", {"HOME": "/h"}, "/h/AppData/Local/sluicegate"),
    ],
)
def test_state_belongs_where_the_system_keeps_it(platform, environ, expected):
    assert default_state_dir(environ, platform) == Path(expected)


def test_a_user_without_a_home_variable_has_a_home():
    assert default_state_dir({}, "linux") == Path.home() / ".local" / "state" / "sluicegate"
