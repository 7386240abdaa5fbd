"""One source of configuration as a layer: plain data, and where each key stands. Layers are merged key by key."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from sluicegate.config.keys import all_keys, is_section, key_at
from sluicegate.config.values import host_pattern
from sluicegate.config.yaml_tree import KeyPath, dotted, read_yaml
from sluicegate.errors import Problem

ENV_PREFIX = "SLUICEGATE_"
CONFIG_VARIABLE = "SLUICEGATE_CONFIG"
PATHS: tuple[KeyPath, ...] = (("state_dir",), ("log", "file"), ("https", "upstream_ca"))

_TEXT = (*PATHS, ("admin_token",))
"""Never read as anything but text: a directory may well be called 5, and a token be all digits."""

_KUBERNETES = re.compile(r"SLUICEGATE_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value comes from: a file and a line, a variable, an option."""

    source: str
    line: int | None = None

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


@dataclass(slots=True)
class Layer:
    """What one source says. `places` knows at least the top of every value in `tree`."""

    tree: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Where `path`, or the nearest thing around it, stands."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, Place(""))

    def put(self, path: tuple[str, ...], value: Any, place: Place) -> None:
        """Set one value, making the sections on the way."""
        tree = self.tree
        for depth, part in enumerate(path[:-1], 1):
            self.places.setdefault(path[:depth], place)
            inner = tree.setdefault(part, {})
            if not isinstance(inner, dict):
                inner = tree[part] = {}
            tree = inner
        known = tree.get(path[-1])
        tree[path[-1]] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
        self.places[path] = place

    def cut(self, path: KeyPath) -> None:
        """Forget the value at `path`; of a list, all of it."""
        names = list(takewhile(lambda part: isinstance(part, str), path))
        for tree in _sections(self.tree, tuple(names[:-1])):
            tree.pop(names[-1], None)

    def problem(self, path: KeyPath, message: str, **details: str) -> None:
        """Note something wrong with the value at `path`."""
        place = self.place(path)
        self.problems.append(Problem(dotted(path), message, place.source, place.line, **details))


def file_layer(path: Path, *, only: str | None = None) -> Layer:
    """What a YAML file says. `only` names a section that the file may hold without naming it."""
    source = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return Layer(problems=[Problem("", f"cannot be read: {error.strerror}", source)])
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Layer(problems=[Problem("", "is not UTF-8 text", source, line)])
    read = read_yaml(text, source)
    layer = Layer(places={(): Place(source)}, problems=read.problems)
    if read.data is not None and not isinstance(read.data, dict):
        layer.problem((), "must hold keys and values")
        return layer
    data, lines = read.data or {}, read.lines
    if only is not None and only not in data:
        data, lines = {only: data}, {(only, *key): line for key, line in lines.items()}
    layer.tree = data
    layer.places |= {key: Place(source, line) for key, line in lines.items() if key}
    if only is not None:
        for key in [key for key in data if key != only]:
            layer.problem((key,), f"does not belong in a file that holds {only} alone")
            del data[key]
    return _settle(layer, path.absolute().parent)


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """What `SLUICEGATE_SECTION__KEY=value` variables say; values are read as YAML, so lists and mappings work."""
    layer = Layer()
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX) or name == CONFIG_VARIABLE or _is_kubernetes(name, environ[name]):
            continue
        source = f"environment variable {name}"
        path = tuple(name.removeprefix(ENV_PREFIX).lower().split("__"))
        if key_at(path) is None:
            known = f"{ENV_PREFIX}{'__'.join(all_keys()[0].path).upper()}"
            layer.problems.append(
                Problem("", "sets no known key", source, allowed=f"variables for known keys, such as {known}")
            )
            continue
        read = read_yaml(environ[name], source)
        layer.problems += [Problem(dotted(path), problem.message, source) for problem in read.problems]
        if not read.problems:
            layer.put(path, _verbatim(path, environ[name], read.data), Place(source))
    return _settle(layer, Path.cwd())


def option_layer(overrides: Mapping[tuple[str, ...], tuple[str, Any]]) -> Layer:
    """What command-line options say: key path -> (option, value)."""
    layer = Layer()
    for path, (option, value) in overrides.items():
        layer.put(path, value, Place(f"option {option}"))
    return _settle(layer, Path.cwd())


def merge(layers: list[Layer]) -> Layer:
    """One layer of all; later ones win, sections are merged key by key."""
    merged = Layer()
    for layer in layers:
        merged.tree = _merge(merged.tree, layer.tree)
        merged.places |= layer.places
    return merged


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        merged[name] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def _verbatim(path: tuple[str, ...], text: str, value: Any) -> Any:
    """What the variable says, as text where only text can be meant. Only null is null."""
    return text if path in _TEXT and value is not None else value


def _is_kubernetes(name: str, value: str) -> bool:
    """A variable that Kubernetes or a container link sets for a service called sluicegate."""
    if _KUBERNETES.fullmatch(name) is None:
        return False
    return not name.endswith("_PORT") or name.endswith("_SERVICE_PORT") or "://" in value


def _settle(layer: Layer, base: Path) -> Layer:
    """Drop sections with nothing in them; make paths absolute from where they were written, host patterns canonical."""
    layer.tree = _without_empty_sections(layer.tree, ())
    for path in PATHS:
        for tree in _sections(layer.tree, path[:-1]):
            value = tree.get(path[-1])
            if isinstance(value, str) and value.strip():
                with suppress(RuntimeError):  # the home of an unknown user, which reading the value tells
                    tree[path[-1]] = str(base / Path(value).expanduser())
    for limits in _sections(layer.tree, ("limits",)):
        if isinstance(hosts := limits.get("hosts"), dict):
            limits["hosts"] = _canonical_hosts(layer, hosts)
    return layer


def _without_empty_sections(tree: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The tree without sections whose every key is commented out, which YAML reads as null."""
    kept: dict[str, Any] = {}
    for name, value in tree.items():
        here = (*path, name)
        if isinstance(value, dict):
            kept[name] = _without_empty_sections(value, here)
        elif value is not None or not is_section(here):
            kept[name] = value
    return kept


def _sections(tree: Any, path: KeyPath) -> Iterator[dict[str | int, Any]]:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    if isinstance(tree, dict):
        yield tree


def _canonical_hosts(layer: Layer, hosts: dict[str, Any]) -> dict[str, Any]:
    """The same hosts under the names that requests carry, so that layers merge by what they mean."""
    canonical: dict[str, Any] = {}
    renamed: list[tuple[str, str]] = []
    for written, value in hosts.items():
        try:
            name = host_pattern(written)
        except ValueError:
            name = written
        if name in canonical:
            layer.problem(("limits", "hosts", written), f"stands twice: it is the same host as {name!r}")
            continue
        canonical[name] = value
        if name != written:
            renamed.append((written, name))
    for written, name in renamed:
        _rename(layer.places, ("limits", "hosts", written), name)
    return canonical


def _rename(places: dict[KeyPath, Place], path: KeyPath, name: str) -> None:
    for key in [key for key in places if key[: len(path)] == path]:
        places[*path[:-1], name, *key[len(path) :]] = places[key]
