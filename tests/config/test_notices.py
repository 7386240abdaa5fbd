from sluicegate.config.diff import Changes
from sluicegate.config.notices import on_bad_reload, on_fallback, on_reload
from sluicegate.core.events import Level
from sluicegate.errors import ConfigError, Problem

BAD = Problem("limits", "is bad", "a.yaml", 3)


def test_a_reload_tells_what_changed_and_then_what_waits():
    first, second = on_reload(Changes(["log.level"], ["listen"]), "abc")

    assert (first.event, first.level) == ("reloaded", Level.INFO)
    assert first.fields == {"changed": ["log.level"], "checksum": "abc"}
    assert (second.event, second.level) == ("restart_needed", Level.WARNING)
    assert second.fields == {"keys": ["listen"]}
    assert "listen" in second.message


def test_a_reload_that_changed_nothing_says_so():
    (only,) = on_reload(Changes([], []), "abc")

    assert "nothing changed" in only.message


def test_problems_are_told_where_they_stand():
    assert "a.yaml:3: limits: is bad" in on_bad_reload(ConfigError([BAD])).message
    assert "a.yaml:3: limits: is bad" in on_fallback([BAD])[0].message


def test_without_a_fallback_there_is_nothing_to_say():
    assert on_fallback(()) == []
