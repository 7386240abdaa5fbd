"""Which keys there are: the models, walked once. Feeds error messages, the environment and the reference."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, TypeAliasType, get_args, get_origin

from pydantic.fields import FieldInfo

from sluicegate.config.leaf import Leaf
from sluicegate.config.models import Section, Settings

ANY_NAME = "*"
"""Stands in a path for a key that the user chooses: a host, a user."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the file. `allowed` is empty for a section."""

    path: tuple[str, ...]
    description: str
    allowed: str
    default: Any
    section: type[Section] | None = None
    listed: bool = False
    """It stands in each entry of a list, or is that list."""

    @property
    def name(self) -> str:
        """The key as the documentation writes it."""
        return ".".join("<name>" if part == ANY_NAME else part for part in self.path)


@cache
def all_keys() -> tuple[Key, ...]:
    """Every key, sections before what is in them, in the order of the models."""
    return tuple(_walk(Settings, (), Settings()))


def key_at(path: tuple[str | int, ...]) -> Key | None:
    """The key that a path leads to; indexes of lists are ignored."""
    names = tuple(part for part in path if isinstance(part, str))
    return next((key for key in all_keys() if _matches(key.path, names)), None)


def names_in(path: tuple[str | int, ...]) -> list[str]:
    """The keys that may stand in the section at `path`; none when it is no section of fixed keys."""
    section = Settings if not path else key.section if (key := key_at(path)) is not None else None
    return list(section.model_fields) if section is not None else []


def is_section(path: tuple[str | int, ...]) -> bool:
    """Whether keys stand below `path`, be they fixed or chosen by the user."""
    key = key_at(path)
    return key is not None and (key.section is not None or key_at((*path, ANY_NAME)) is not None)


def _matches(pattern: tuple[str, ...], names: tuple[str, ...]) -> bool:
    return len(pattern) == len(names) and all(
        part in (ANY_NAME, name) for part, name in zip(pattern, names, strict=True)
    )


def _walk(model: type[Section], path: tuple[str, ...], values: Section | None) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        here = (*path, name)
        default = getattr(values, name) if values is not None else None
        section, leaf = _kind(field)
        allowed = leaf.allowed if leaf is not None else ""
        if section is not None and get_origin(field.annotation) is tuple:
            yield Key(here, field.description or "", "", default, section, listed=True)
            yield from (replace(key, listed=True) for key in _walk(section, here, section()))
            continue
        if get_origin(field.annotation) is not dict:
            yield Key(here, field.description or _doc(section), "" if section else allowed, default, section)
            inner = default if isinstance(default, Section) else None
        else:
            of_sections = f"{allowed}; each with a section of its own"
            yield Key(here, field.description or "", of_sections if section else f"names, each with {allowed}", default)
            here, inner = (*here, ANY_NAME), None
            yield Key(here, _doc(section), "" if section else allowed, None, section)
        if section is not None:
            yield from _walk(section, here, inner)


def _doc(section: type[Section] | None) -> str:
    return (section.__doc__ or "") if section is not None else ""


def _kind(field: FieldInfo) -> tuple[type[Section] | None, Leaf | None]:
    """The section and the leaf that a field's annotation holds; of a map of sections, the leaf is its keys'."""
    found = [*field.metadata, *_parts(field.annotation)]
    section = next((item for item in found if isinstance(item, type) and issubclass(item, Section)), None)
    return section, next((item for item in found if isinstance(item, Leaf)), None)


def _parts(annotation: Any) -> Iterator[Any]:
    """An annotation and everything in it, aliases and `Annotated` opened."""
    if isinstance(annotation, TypeAliasType):
        yield from _parts(annotation.__value__)
        return
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
