"""From files, environment and command line to one `Settings`, or to everything that is wrong with them at once.

Precedence: command line > environment > file > defaults. Among the options, `--rate-config` yields to the single ones.
Each layer is checked by itself, so that a bad value is told even where another layer overrides it; then the whole is.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sluicegate.config.complaints import complain
from sluicegate.config.consistency import contradictions
from sluicegate.config.directories import default_state_dir
from sluicegate.config.keys import key_at
from sluicegate.config.layers import (
    CONFIG_VARIABLE,
    Layer,
    Place,
    environment_layer,
    file_layer,
    merge,
    option_layer,
)
from sluicegate.config.models import Settings
from sluicegate.config.yaml_tree import KeyPath, dotted
from sluicegate.errors import ConfigError, Problem

type Overrides = Mapping[tuple[str, ...], tuple[str, Any]]
"""Key path -> (option as the user wrote it, value)."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that may take effect, and where it comes from."""

    settings: Settings
    sources: Mapping[str, str]
    """Dotted key -> `file:line`, variable or option, for each key that is not a default."""
    checksum: str
    """Twelve hex digits that change when the effective configuration does (secrets left out)."""
    file: Path | None = None
    files: tuple[Path, ...] = ()
    """Every file that was read, or that could not be; what a reload has to watch."""
    fallback: tuple[Problem, ...] = field(default=())
    """What was wrong with the files that these defaults stand in for; empty normally."""


def load_settings(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    *,
    rate_config: Path | None = None,
) -> Loaded:
    """Read everything; `file` None means the one that SLUICEGATE_CONFIG names, if any. Raises ConfigError."""
    environ = environ or {}
    file = _file(file, environ)
    layers = [
        *([file_layer(file)] if file is not None else []),
        environment_layer(environ),
        *([file_layer(rate_config, only="limits")] if rate_config is not None else []),
        option_layer(overrides or {}),
    ]
    unreadable = any(layer.problems and not layer.tree for layer in layers)
    suspects = [path for layer in layers for path in _check(layer)]
    problems = [problem for layer in layers for problem in sorted(layer.problems, key=_line)]

    merged = merge(layers)
    defaults = {"state_dir": str(default_state_dir(environ))}
    settings = Settings.model_validate(defaults | merged.tree)
    if not unreadable:
        problems += contradictions(settings, merged, suspects)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return Loaded(
        settings=settings,
        sources=_sources(merged.places),
        checksum=checksum(settings),
        file=file,
        files=_files(file, environ, rate_config),
    )


def load_with_fallback(
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Overrides | None = None,
    *,
    rate_config: Path | None = None,
) -> Loaded:
    """As `load_settings`; where the files are bad, environment and options on the defaults, with `fallback` set.

    Raises ConfigError when these are bad too, or when they need what the files held (an open address, say).
    """
    try:
        return load_settings(file, environ, overrides, rate_config=rate_config)
    except ConfigError as error:
        environ = environ or {}
        rest = {name: value for name, value in environ.items() if name != CONFIG_VARIABLE}
        try:
            loaded = load_settings(None, rest, overrides)
        except ConfigError:
            raise error from None
        return replace(loaded, files=_files(file, environ, rate_config), fallback=tuple(error.problems))


def checksum(settings: Settings) -> str:
    """See `Loaded.checksum`."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:12]


def _file(given: Path | None, environ: Mapping[str, str]) -> Path | None:
    named = environ.get(CONFIG_VARIABLE)
    return Path(named) if given is None and named else given


def _files(file: Path | None, environ: Mapping[str, str], rate_config: Path | None) -> tuple[Path, ...]:
    return tuple(path for path in (_file(file, environ), rate_config) if path is not None)


def _check(layer: Layer) -> list[KeyPath]:
    """Find what is wrong in a layer, cut it out, and return the paths of what was cut."""
    try:
        Settings.model_validate(layer.tree)
    except ValidationError as error:
        paths: list[KeyPath] = []
        for detail in error.errors(include_url=False):
            path = complain(layer, detail)
            paths.append(path)
        for path in paths:
            layer.cut(path)
        return paths
    return []


def _sources(places: Mapping[KeyPath, Place]) -> dict[str, str]:
    return {dotted(path): str(place) for path, place in places.items() if _is_value(path)}


def _is_value(path: KeyPath) -> bool:
    return isinstance(path[-1] if path else None, str) and (key := key_at(path)) is not None and key.section is None


def _line(problem: Problem) -> int:
    return problem.line or 0
