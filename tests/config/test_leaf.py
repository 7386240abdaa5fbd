from pathlib import Path

import pytest
from pydantic import SecretStr

from sluicegate.config.leaf import (
    Leaf,
    Unacceptable,
    choice,
    optional,
    path,
    secret,
    switch,
    text,
    whole,
    without_userinfo,
)


@pytest.mark.parametrize("value", [0, 11, 5.0, "5", True, None])
def test_a_whole_number_is_no_text_no_boolean_and_within_its_bounds(value):
    with pytest.raises(Unacceptable):
        whole(1, 10).read(value)


def test_a_whole_number_at_its_bounds_is_good():
    assert [whole(1, 10).read(value) for value in (1, 10)] == [1, 10]


def test_a_choice_is_one_of_its_words():
    assert choice("a", "b").read("b") == "b"
    for value in ("c", "", None, False, ["a"]):
        with pytest.raises(Unacceptable):
            choice("a", "b").read(value)


def test_a_switch_is_only_true_or_false():
    assert switch(True) is True
    for value in ("yes", 1, None):
        with pytest.raises(Unacceptable):
            switch(value)


def test_text_is_trimmed_and_not_empty():
    assert text(" a ") == "a"
    for value in ("", "  ", 5, None):
        with pytest.raises(Unacceptable):
            text(value)


def test_a_path_knows_the_home_directory(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")

    assert path("~/x") == Path("/home/ada/x")


@pytest.mark.parametrize("value", ["~no-such-user/x", "a\0b", "", 5])
def test_what_can_be_no_path_is_unacceptable(value):
    with pytest.raises(Unacceptable):
        path(value)


def test_an_optional_leaf_reads_and_shows_null():
    leaf = optional(whole(1, 2))

    assert (leaf.read(None), leaf.show(None), leaf.read(2)) == (None, None, 2)


def test_a_secret_is_not_shown():
    leaf = secret(Leaf(text, "text"))
    value = leaf.read("hunter2")

    assert isinstance(value, SecretStr)
    assert "hunter2" not in f"{value} {value!r} {leaf.show(value)}"
    assert value.get_secret_value() == "hunter2"


def test_a_url_is_shown_without_its_user():
    assert without_userinfo("redis://u:p@h:1/0 http://h") == "redis://…@h:1/0 http://h"
