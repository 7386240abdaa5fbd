import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.config.yaml_tree import dotted, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("yes", "yes"),
        ("true", True),
        ("FALSE", False),
        ("010", 10),
        ("1:30", "1:30"),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("~", None),
        ("null", None),
        ("", None),
        ("2026-11-23", "2026-11-23"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("[1, a]", [1, "a"]),
        ("9" * 5000, float("inf")),
    ],
)
def test_scalars_are_read_as_yaml_1_2_says(text, value):
    tree = read_yaml(text, "f")

    assert tree.problems == []
    assert tree.data == value


def test_every_key_knows_its_line():
    tree = read_yaml("a: 1\nb:\n  c:\n    - 1\n    - 2\n", "f")

    assert tree.lines["a",] == 1
    assert tree.lines["b", "c"] == 3
    assert tree.lines["b", "c", 1] == 5


def test_anchors_and_merge_keys_work_and_own_keys_win():
    tree = read_yaml("base: &base {a: 1, b: 2}\nother: &other {b: 3, c: 4}\nuse: {<<: [*base, *other], a: 9}\n", "f")

    assert tree.problems == []
    assert tree.data["use"] == {"a": 9, "b": 2, "c": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "stands twice, first on line 1"),
        ("a: &a [*a]", "holds itself through an alias"),
        ("a: !!python/object:os.system x", "has a tag that is not known here"),
        ("[1]: 2", "has a key that is not plain text"),
        ("<<: 5", "merges something that is not a mapping"),
        ("a: 1\n---\nb: 2", "is not valid YAML"),
        ("a: \x07", "holds a character that YAML does not allow"),
        ("a: " + "[" * 5000, "is nested too deeply"),
    ],
)
def test_what_is_no_good_is_a_problem(text, message):
    assert message in read_yaml(text, "f").problems[0].message


def test_an_unquoted_wildcard_gets_the_hint_to_quote_it():
    (problem,) = read_yaml("hosts:\n  *.example.org: 5/second\n", "f").problems

    assert problem.line == 2
    assert "quotes" in problem.allowed


@given(st.text())
def test_no_text_raises(text):
    read_yaml(text, "f")


def test_a_dotted_path_quotes_what_has_dots_in_it():
    assert dotted(("limits", "hosts", "api.example.com", "rates", 0)) == 'limits.hosts."api.example.com".rates[0]'
