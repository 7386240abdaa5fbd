"""YAML as plain data with the line of every key. Reads YAML 1.2's core schema: `off` is text, `010` is ten.

PyYAML composes the nodes; nothing is constructed from tags, and a key that stands twice is a problem.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from sluicegate.errors import Problem

type KeyPath = tuple[str | int, ...]

_PREFIX = "tag:yaml.org,2002:"
_YAML = "YAML, where text that begins with one of [ { * & ! % @ stands in quotes"
_MERGE = f"{_PREFIX}merge"


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's scanner, parser and composer with the scalar forms of YAML 1.2 (§10.3)."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own attribute


for _tag, _form, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _CoreLoader.add_implicit_resolver(f"{_PREFIX}{_tag}", re.compile(f"(?:{_form})\\Z"), _first)


@dataclass(slots=True)
class YamlTree:
    """What a text holds: plain data, the line (from 1) of each key path, and what is wrong with it as YAML."""

    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_yaml(text: str, source: str) -> YamlTree:
    """Parse one document; problems are reported with `source` and never raised."""
    reader = _Reader(source)
    loader = _CoreLoader("")
    try:
        loader = _CoreLoader(text)
        node = loader.get_single_node()
        reader.tree.data = None if node is None else reader.value(node, (), ())
    except yaml.MarkedYAMLError as error:
        reader.tree.problems.append(_syntax_problem(error, source))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        reader.tree.problems.append(Problem("", "holds a character that YAML does not allow", source, line))
    except RecursionError:
        reader.tree.problems.append(Problem("", "is nested too deeply", source))
    finally:
        loader.dispose()
    return reader.tree


def _syntax_problem(error: yaml.MarkedYAMLError, source: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = error.problem or error.context or "no further detail"
    if error.problem and error.context and error.context_mark is not None:
        what += f", {error.context} that begins on line {error.context_mark.line + 1}"
    return Problem("", f"is not valid YAML: {what}", source, mark.line + 1 if mark else None, allowed=_YAML)


def dotted(path: KeyPath) -> str:
    """A key path as people read it: `limits.hosts."api.example.com".rates`, `access.allow[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if re.fullmatch(r"[\w-]+", part) else f'"{part}"')
    return text


class _Reader:
    """Turns nodes into data. `above` holds the nodes being read, so that an alias cannot hold itself."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = YamlTree()

    def value(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        self.tree.lines.setdefault(path, node.start_mark.line + 1)
        if any(node is other for other in above):
            self._problem(path, node, "holds itself through an alias")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), (*above, node)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = self._merged(value_node, path, above) | merged
            elif not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, key_node, "has a key that is not plain text")
            elif (key := str(key_node.value)) in data:
                first = self.tree.lines[*path, key]
                self._problem((*path, key), key_node, f"stands twice, first on line {first}")
            else:
                self.tree.lines[*path, key] = key_node.start_mark.line + 1
                data[key] = self.value(value_node, (*path, key), above)
        return merged | data

    def _merged(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> dict[str, Any]:
        """What `<<` brings in: one mapping, or several of which the first counts."""
        merged: dict[str, Any] = {}
        for item in reversed(node.value) if isinstance(node, yaml.SequenceNode) else [node]:
            value = self.value(item, path, above)
            if isinstance(value, dict):
                merged |= value
            else:
                self._problem(path, item, "merges something that is not a mapping")
        return merged

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text = str(node.value)
        match node.tag.removeprefix(_PREFIX):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                return float(text)
        self._problem(path, node, f"has a tag that is not known here: {node.tag}")
        return None

    def _problem(self, path: KeyPath, node: yaml.Node, message: str) -> None:
        self.tree.problems.append(Problem(dotted(path), message, self.source, node.start_mark.line + 1))
