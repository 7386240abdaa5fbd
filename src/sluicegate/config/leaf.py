"""What every value of a configuration has in common: how it is read, how it is shown, and what is allowed.

Each is an `Annotated` type that carries a `Leaf`. The sentence in `Leaf.allowed` is what the error message and the
reference in the docs tell.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, SecretStr
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


class Unacceptable(ValueError):
    """What was found cannot be read. The message goes on where "<key> …" left off."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """How pydantic reads, shows and describes one kind of value.

    `read` gets whatever YAML gave and raises Unacceptable; `allowed` is what the reader may write.
    """

    read: Callable[[Any], Any]
    allowed: str
    show: Callable[[Any], Any] = str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self.show, when_used="json"),
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.schema)

    def _read(self, value: Any) -> Any:
        try:
            return self.read(value)
        except Unacceptable as error:
            raise PydanticCustomError("leaf", "{message}", {"message": str(error), "allowed": self.allowed}) from None


def optional(leaf: Leaf) -> Leaf:
    """The same leaf, or null."""
    return Leaf(
        lambda value: None if value is None else leaf.read(value),
        f"{leaf.allowed}; or null",
        lambda value: None if value is None else leaf.show(value),
        {"anyOf": [leaf.schema, {"type": "null"}]},
    )


def secret(leaf: Leaf, show: Callable[[str], str] = lambda _text: "…") -> Leaf:
    """The same leaf, its value wrapped so that it is never printed; `show` makes of it what may be seen."""
    return Leaf(
        lambda value: SecretStr(leaf.read(value)),
        leaf.allowed,
        lambda value: show(value.get_secret_value()),
        leaf.schema,
    )


def without_userinfo(url: str) -> str:
    """A URL, or text with URLs in it, that shows neither user nor password."""
    return re.sub(r"//[^/\s]*@", "//…@", url)


def text(value: Any) -> str:
    """The value when it is a non-empty string; Unacceptable otherwise."""
    if not isinstance(value, str):
        raise Unacceptable("must be text")
    if not value.strip():
        raise Unacceptable("must not be empty")
    return value.strip()


def whole(minimum: int, maximum: int) -> Leaf:
    """A whole number between two bounds (inclusive)."""

    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise Unacceptable("is not a whole number")
        if not minimum <= value <= maximum:
            raise Unacceptable("is too small" if value < minimum else "is too large")
        return value

    bounds = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Leaf(read, f"a whole number from {minimum} to {maximum}", int, bounds)


def choice(*names: str) -> Leaf:
    """One word of a few."""

    def read(value: Any) -> str:
        if value not in names:
            raise Unacceptable("is not one of the choices")
        return str(value)

    return Leaf(read, " | ".join(names), schema={"enum": list(names)})


def path(value: Any) -> Path:
    """A path, `~` expanded. Unacceptable otherwise."""
    written = text(value)
    if "\0" in written:
        raise Unacceptable("holds a NUL character")
    try:
        return Path(written).expanduser()
    except RuntimeError:
        raise Unacceptable("begins with the home of a user that is not known") from None


def switch(value: Any) -> bool:
    """True or false. Unacceptable otherwise."""
    if not isinstance(value, bool):
        raise Unacceptable("is neither true nor false")
    return value
