import json

import pytest

from sluicegate.clock import SystemClock
from sluicegate.config.models import Settings
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import StartError
from sluicegate.groundwork import admin_token, make_state_dir, open_configured_log


def test_the_state_directory_is_made_with_its_parents_for_us_alone(tmp_path):
    make_state_dir(tmp_path / "a" / "b")
    make_state_dir(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_a_state_directory_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="cannot be made") as caught:
        make_state_dir(tmp_path / "file" / "state")
    assert "--state-dir" in caught.value.advice


def test_the_log_is_as_configured(tmp_path):
    log = {"file": str(tmp_path / "a.log"), "level": "warning", "format": "json", "rotate_size": "64KiB"}
    opened = open_configured_log(Settings.model_validate({"log": log}), SystemClock())
    opened.emit(Notice(Stage.LIFECYCLE, "quiet", Level.INFO, ""))
    for _ in range(300):
        opened.emit(Notice(Stage.LIFECYCLE, "told", Level.WARNING, "x" * 500))
        opened.flush()
    opened.close()

    lines = [json.loads(line) for file in tmp_path.iterdir() for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["told"] * 300
    assert len(list(tmp_path.iterdir())) == 3, "the file and two that were set aside"


def test_the_configured_token_comes_before_that_of_the_state_directory(tmp_path):
    configured = {"state_dir": str(tmp_path), "admin_token": "configured-0123456789"}

    assert admin_token(Settings.model_validate(configured)).admits(b"configured-0123456789")
    assert not (tmp_path / "admin.token").exists()


def test_without_one_the_state_directory_has_its_own(tmp_path):
    token = admin_token(Settings.model_validate({"state_dir": str(tmp_path)}))

    assert token.admits((tmp_path / "admin.token").read_text().strip().encode())
