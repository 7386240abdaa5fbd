"""Lists of alternatives in requests, as Accept-Language is one: their plainest form, and what they rank first (RFC 9110 §12.4).

Their order means nothing, weights do; the names in them are not case-sensitive, but the values of parameters may be.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from sluicegate.core.caching.fields.directives import are_too_long

_MEMBER = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_PIECE = re.compile(rb'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+', re.DOTALL)
_WEIGHT = re.compile(rb"(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\Z")
_HIGHEST = b"q=1"


def plainest(lines: tuple[bytes, ...]) -> bytes:
    """The same alternatives in an order, case and spacing that depend on nothing but their meaning.

    Those that are too long to be meant are left as they are.
    """
    return b",".join(lines) if are_too_long(lines) else _plainest(lines)


@lru_cache(maxsize=1024)
def _plainest(lines: tuple[bytes, ...]) -> bytes:
    return b",".join(sorted({b";".join(pieces) for pieces in _members(b",".join(lines))}))


def first_choices(plain: bytes) -> frozenset[bytes]:
    """The alternatives of the highest weight, of a list in its plainest form; none if one of them has another parameter."""
    return frozenset() if are_too_long((plain,)) else _first_choices(plain)


@lru_cache(maxsize=1024)
def _first_choices(plain: bytes) -> frozenset[bytes]:
    weights = _weights(plain)
    highest = max(weights.values(), default=0.0)
    return frozenset(name for name, weight in weights.items() if weight == highest > 0)


def acceptable(lines: list[bytes]) -> frozenset[bytes]:
    """The alternatives that are named and not refused; none if one of them has another parameter than a weight."""
    if are_too_long(tuple(lines)):
        return frozenset()
    return frozenset(name for name, weight in _weights(plainest(tuple(lines))).items() if weight > 0)


def _weights(plain: bytes) -> dict[bytes, float]:
    """How much each alternative is wanted, 1 at most (RFC 9110 §12.4.2); nothing if one of them has another parameter."""
    weights: dict[bytes, float] = {}
    for name, *parameters in _members(plain):
        weight = parameters[0].removeprefix(b"q=") if parameters else b"1"
        if len(parameters) > 1 or (parameters and weight == parameters[0]) or not _WEIGHT.match(weight):
            return {}
        weights[name] = float(weight)
    return weights


def _members(listed: bytes) -> Iterator[list[bytes]]:
    """Each alternative with its parameters, a weight of 1 left out."""
    for member in _MEMBER.findall(listed):
        name, *parameters = (piece.strip(b" \t") for piece in _PIECE.findall(member) or [b""])
        if name:
            spelt = [_parameter(parameter) for parameter in parameters if parameter]
            yield [name.lower(), *(parameter for parameter in spelt if parameter != _HIGHEST)]


def _parameter(parameter: bytes) -> bytes:
    name, equals, value = parameter.partition(b"=")
    name, value = name.strip(b" \t").lower(), value.strip(b" \t")
    if name == b"q" and _WEIGHT.match(value):
        value = b"%g" % float(value)
    return name + equals + value
