"""The running proxy's admin API, for a cache that is in its memory."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode

import click

from sluicegate.admin.token_file import FILE_NAME
from sluicegate.config.models import Settings
from sluicegate.upkeep.selection import Selection

_TIMEOUT_S = 60.0
_OK = 200


class AdminRefused(click.ClickException):
    """The admin server cannot be asked, or says no. Exit code 1."""


def listed_remotely(settings: Settings, selection: Selection) -> Iterator[dict[str, Any]]:
    """What the proxy lists, as its API says it. Raises AdminRefused."""
    with _asked(settings, "GET", f"/api/cache?{urlencode(_conditions(selection))}") as response:
        while line := response.readline():
            yield json.loads(line)


def purged_remotely(settings: Settings, selection: Selection) -> int:
    """Have the proxy remove what is meant; how many there were. Raises AdminRefused."""
    body = json.dumps(_conditions(selection) or {"all": True})
    with _asked(settings, "POST", "/api/cache/purge", body) as response:
        return int(json.loads(response.read())["removed"])


def _conditions(selection: Selection) -> dict[str, str]:
    given = {
        "url": selection.url,
        "prefix": selection.prefix,
        "host": selection.host,
        "tag": selection.tag,
        "older_than": None if selection.older_than_s is None else f"{selection.older_than_s * 1000:.0f}ms",
        "newer_than": None if selection.newer_than_s is None else f"{selection.newer_than_s * 1000:.0f}ms",
    }
    return {name: value for name, value in given.items() if value is not None}


@contextmanager
def _asked(settings: Settings, method: str, path: str, body: str | None = None) -> Iterator[HTTPResponse]:
    address = settings.admin
    if address is None:
        raise AdminRefused("cache.store is memory, and there is no admin server to ask (admin: off).")
    connection = HTTPConnection(address.host, address.port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {_token(settings)}"})
        response = connection.getresponse()
        if response.status != _OK:
            raise AdminRefused(_refusal(f"The proxy on {address} answered with {response.status}", response.read()))
        yield response
    except (OSError, HTTPException, ValueError) as error:
        raise AdminRefused(
            f"cache.store is memory, so only the running proxy has what is stored, and on {address} its admin server "
            f"could not be asked: {error}."
        ) from None
    finally:
        connection.close()


def _token(settings: Settings) -> str:
    if settings.admin_token is not None:
        return settings.admin_token.get_secret_value()
    path = settings.state_dir / FILE_NAME
    try:
        return path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is damaged"
        raise AdminRefused(
            f"The admin token cannot be read from {path}: {why}. The proxy makes it at its first start."
        ) from None


def _refusal(what: str, body: bytes) -> str:
    try:
        problem = json.loads(body)
        told = " ".join(str(problem[name]) for name in ("detail", "advice") if name in problem)
    except (ValueError, TypeError):
        told = ""
    return f"{what}. {told}".rstrip()
