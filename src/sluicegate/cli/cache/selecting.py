"""The options by which commands choose stored responses."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from sluicegate.config import values
from sluicegate.config.compile import cache_keys
from sluicegate.config.leaf import Unacceptable
from sluicegate.config.models import Settings
from sluicegate.config.quantities import parse_duration
from sluicegate.core.urls import parse_url
from sluicegate.upkeep.selection import Selection

type _Callback = Callable[[click.Context, click.Parameter, str | None], Any]


def selection_options[F: Callable[..., Any]](command: F) -> F:
    """Add URL arguments, `--prefix`, `--host`, `--tag`, `--older-than` and `--newer-than`; for `selections`."""
    for option in (
        click.option(
            "--newer-than",
            metavar="DURATION",
            callback=_read(parse_duration),
            help="What was stored or confirmed within DURATION.",
        ),
        click.option(
            "--older-than",
            metavar="DURATION",
            callback=_read(parse_duration),
            help="What was stored or confirmed longer ago, as in 36h or 7d.",
        ),
        click.option("--tag", metavar="TAG", help="What has this tag in Cache-Tag or Surrogate-Key."),
        click.option(
            "--host",
            metavar="HOST",
            callback=_read(values.host_pattern),
            help="What is of HOST, or of all subdomains of *.domain.",
        ),
        click.option("--prefix", metavar="URL", callback=_read_url, help="URLs that begin like this."),
        click.argument("urls", nargs=-1, metavar="[URL]...", callback=_read_urls),
    ):
        command = option(command)
    return command


def selections(parameters: Mapping[str, Any], settings: Settings) -> list[Selection]:
    """What the options mean: one selection for each URL, or one for all else. All conditions must hold.

    A URL means what is stored for it under the rules in force, and what was stored when there were none.
    """
    others = Selection(
        prefix=parameters["prefix"],
        host=parameters["host"],
        tag=parameters["tag"],
        older_than_s=parameters["older_than"],
        newer_than_s=parameters["newer_than"],
    )
    if not parameters["urls"]:
        return [others]
    return [others.of_url(key) for url in parameters["urls"] for key in cache_keys(url, settings)]


def _read(read: Callable[[Any], Any]) -> _Callback:
    def callback(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> Any:
        if text is None:
            return None
        try:
            return read(text)
        except Unacceptable as error:
            raise click.BadParameter(f"{text!r} {error}.") from None

    return callback


def _read_url(_ctx: click.Context, _parameter: click.Parameter, url: str | None) -> str | None:
    if url is not None:
        parse_url(url)
    return url


def _read_urls(_ctx: click.Context, _parameter: click.Parameter, urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        parse_url(url)
    return urls
