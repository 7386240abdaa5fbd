from sluicegate.config.complaints import shown
from sluicegate.config.load import load_settings
from sluicegate.errors import ConfigError


def messages(overrides):
    try:
        load_settings(None, {}, {path: ("--x", value) for path, value in overrides.items()})
    except ConfigError as error:
        return [problem.message for problem in error.problems]
    return []


def test_a_misspelt_key_gets_the_one_that_was_meant():
    assert messages({("cash",): {}}) == ["is not a known key; did you mean cache?"]
    assert messages({("limits", "default", "Max-Wait"): "1s"}) == ["is not a known key; did you mean max_wait?"]


def test_a_key_in_the_wrong_place_gets_the_right_place():
    assert messages({("max_inflight",): 5}) == ["is not a known key; did you mean limits.max_inflight?"]


def test_a_key_like_no_other_gets_no_suggestion():
    assert messages({("zzz",): 5}) == ["is not a known key"]


def test_long_values_are_cut():
    assert shown(("listen",), "x" * 500) == '"' + "x" * 58 + "…"


def test_hashes_are_never_shown():
    assert shown(("access", "users", "bob"), "hunter2") == ""
    assert shown(("access", "users"), "hunter2") == ""
