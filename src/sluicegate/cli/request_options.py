"""The options of commands that describe a request."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import click

from sluicegate.core.http import HOP_BY_HOP, FieldList

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_FRAMING = HOP_BY_HOP | {b"content-length"}


def field_option[F: Callable[..., Any]](command: F) -> F:
    """Add -H; the command gets `fields`."""
    return click.option(
        "-H",
        "--header",
        "fields",
        multiple=True,
        metavar="'NAME: VALUE'",
        callback=lambda _ctx, _parameter, values: parse_fields(values),
        help="A header field of the request; may be given several times.",
    )(command)


def parse_fields(texts: Iterable[str]) -> FieldList:
    """The fields as they are sent. Raises click.BadParameter."""
    return [_field(text) for text in texts]


def parse_method(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """A method (RFC 9110 §9.1); case matters there, but nobody means `get`. Raises click.BadParameter."""
    if not _TOKEN.fullmatch(value) or value.upper() == "CONNECT":
        raise click.BadParameter(f"{value!r} is no method that a cache could see.", param_hint="-X")
    return value.upper()


def _field(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    value = value.strip(" \t")
    if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
        raise click.BadParameter(f"{text!r} is no header field; write it as 'Name: value'.", param_hint="-H")
    encoded = name.encode("ascii")
    if encoded.lower() in _FRAMING:
        raise click.BadParameter(f"{name} concerns one connection only; it cannot be given here.", param_hint="-H")
    return encoded, value.encode("latin-1")
