import stat
from concurrent.futures import ProcessPoolExecutor

import pytest

from sluicegate.admin.token_file import FILE_NAME, token_in
from sluicegate.errors import StartError


def test_the_first_start_makes_a_token_for_its_owner_alone_and_later_ones_keep_it(tmp_path):
    token = token_in(tmp_path)

    assert len(bytes.fromhex(token)) == 32
    assert token_in(tmp_path) == token
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_each_state_directory_has_a_token_of_its_own(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()

    assert token_in(tmp_path / "a") != token_in(tmp_path / "b")


def test_processes_that_start_at_the_same_time_agree(tmp_path):
    with ProcessPoolExecutor(4) as pool:
        assert len(set(pool.map(token_in, [tmp_path] * 40))) == 1


def test_one_that_loses_the_race_takes_the_winners(tmp_path, monkeypatch):
    theirs = "f" * 64
    file = tmp_path / FILE_NAME
    link = __import__("os").link

    def late(source, target):
        file.write_text(theirs)
        file.chmod(0o600)
        link(source, target)

    monkeypatch.setattr("os.link", late)

    assert token_in(tmp_path) == theirs


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o602])
def test_a_token_that_every_user_can_read_or_replace_is_not_used(tmp_path, mode):
    token = token_in(tmp_path)
    (tmp_path / FILE_NAME).chmod(mode)

    with pytest.raises(StartError, match=rf"open to every user .*mode {mode:o}") as caught:
        token_in(tmp_path)

    assert "chmod 600" in caught.value.advice
    assert token not in str(caught.value) + caught.value.advice


def test_what_only_the_group_was_given_is_taken_back(tmp_path):
    token = token_in(tmp_path)
    (tmp_path / FILE_NAME).chmod(0o660)

    assert token_in(tmp_path) == token
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


@pytest.mark.parametrize(("content", "fault"), [("", "is empty"), ("\n \n", "is empty"), ("short", "is damaged")])
def test_a_file_without_a_token_is_told(tmp_path, content, fault):
    (tmp_path / FILE_NAME).write_text(content)
    (tmp_path / FILE_NAME).chmod(0o600)

    with pytest.raises(StartError, match=fault) as caught:
        token_in(tmp_path)

    assert "Remove the file" in caught.value.advice


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / FILE_NAME).mkdir(mode=0o700)

    with pytest.raises(StartError, match=r"admin\.token cannot be used"):
        token_in(tmp_path)
