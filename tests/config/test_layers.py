from pathlib import Path

from sluicegate.config.layers import Layer, Place, environment_layer, file_layer, merge, option_layer


def test_a_place_is_the_nearest_thing_that_has_one():
    layer = Layer(places={(): Place("f"), ("a",): Place("f", 3)})

    assert str(layer.place(("a", "b", 0))) == "f:3"
    assert str(layer.place(("z",))) == "f"


def test_later_layers_win_and_sections_are_merged():
    one = option_layer({("cache", "mode"): ("--cache", "off"), ("log", "level"): ("--log-level", "info")})
    two = option_layer({("cache", "mode"): ("--other", "shared"), ("cache", "store"): ("--store", "disk")})

    merged = merge([one, two])

    assert merged.tree == {"cache": {"mode": "shared", "store": "disk"}, "log": {"level": "info"}}
    assert str(merged.place(("cache", "mode"))) == "option --other"


def test_a_value_below_a_value_replaces_it():
    layer = Layer()
    layer.put(("a",), 5, Place("x"))
    layer.put(("a", "b"), 6, Place("y"))

    assert layer.tree == {"a": {"b": 6}}


def test_cutting_an_item_cuts_its_list():
    layer = Layer(tree={"a": {"b": [1, 2], "c": 3}})

    layer.cut(("a", "b", 1))
    layer.cut(("a", "gone", "deeper"))

    assert layer.tree == {"a": {"c": 3}}


def test_a_bad_variable_is_told_as_yaml():
    layer = environment_layer({"SLUICEGATE_LOG__LEVEL": "[", "PATH": "/bin"})

    assert [problem.key for problem in layer.problems] == ["log.level"]
    assert layer.tree == {}


def test_a_whole_section_and_one_of_its_keys_may_both_come_from_the_environment():
    layer = environment_layer({"SLUICEGATE_LIMITS": "{max_inflight: 5}", "SLUICEGATE_LIMITS__BACKEND": "memory"})

    assert layer.tree == {"limits": {"max_inflight": 5, "backend": "memory"}}


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path):
    file = tmp_path / "f.yaml"
    file.write_bytes(b"\xef\xbb\xbfworkers: 1\n")

    assert file_layer(file).tree == {"workers": 1}
