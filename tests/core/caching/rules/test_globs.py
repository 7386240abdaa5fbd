import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.core.caching.rules.globs import glob


def matches(pattern, text):
    return re.match(glob(pattern), text) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("/a", "/a", True),
        ("/a", "/a/", False),
        ("/a", "/a\n", False),
        ("/simple/*", "/simple/x/y", True),
        ("/simple/*", "/simple/", True),
        ("/simple/*", "/simple", False),
        ("*.css", "/a/b.css", True),
        ("*.css", "/a/b.css?", False),
        ("/*/b/*", "/a/b/", True),
        ("/*a*a", "/aa", True),
        ("/*a*a", "/a", False),
        ("/a.b", "/axb", False),
        ("/[ab]", "/a", False),
        ("*", "", True),
        ("**", "x", True),
        ("", "", True),
        ("", "x", False),
        ("*", "a\nb", True),
    ],
)
def test_an_asterisk_is_any_characters_and_nothing_else_is_special(pattern, text, expected):
    assert matches(pattern, text) is expected


@given(st.text("ab*", max_size=8), st.text("ab", max_size=12))
def test_it_matches_what_a_plain_search_of_all_divisions_matches(pattern, text):
    assert matches(pattern, text) is fnmatch.fnmatchcase(text, pattern)


def test_no_text_makes_many_asterisks_slow():
    """Tried in all ways to divide the text, this would not end in a lifetime."""
    assert not matches("*a" * 12 + "b", "a" * 20_000)
