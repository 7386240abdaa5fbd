"""The options of every command that needs a configuration, and what they make of it."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sluicegate.config.load import Loaded, load_settings, load_with_fallback


@dataclass(frozen=True, slots=True)
class Flag:
    """One option: the configuration key it sets, if it is just that."""

    name: str
    help: str
    key: str = ""
    metavar: str = "TEXT"
    number: bool = False
    switch: bool = False

    @property
    def parameter(self) -> str:
        """Its name among a command's parameters."""
        return self.name.removeprefix("--").replace("-", "_")

    def option(self) -> Callable[[Any], Any]:
        """The click option."""
        return click.option(self.name, metavar=self.metavar, help=self.help)


FLAGS = (
    Flag("--listen", "Where clients connect.", "listen", "HOST:PORT"),
    Flag("--admin", "Where health, metrics and status are served, or off.", "admin", "HOST:PORT"),
    Flag("--state-dir", "Where certificate authority, permits and cache are kept.", "state_dir", "DIR"),
    Flag("--log-format", "How log lines look.", "log.format", "auto|json|text"),
    Flag("--log-level", "The least severe level.", "log.level", "debug|info|warning|error"),
    Flag("--log-file", "Where the log goes instead of standard output.", "log.file", "FILE"),
    Flag("--rate-default", "Rates of every host that has none of its own.", "limits.default.rates", "RATES"),
    Flag(
        "--rate-max-inflight",
        "Requests to all hosts together at the same time.",
        "limits.max_inflight",
        "N",
        number=True,
    ),
    Flag("--cache", "Who shares the cache.", "cache.mode", "shared|private|off"),
    Flag(
        "--offline",
        "Whether no request leaves, and what is stored is all there is.",
        "cache.offline",
        "true|false",
        switch=True,
    ),
    Flag("--https", "What happens to https.", "https.mode", "intercept|tunnel"),
)
"""The options that set one key each; those in `proxy_options` besides need a word more."""
_SWITCHES = {"true": True, "false": False}


def proxy_options[F: Callable[..., Any]](command: F) -> F:
    """Add the options of design's contract to a command; it hands its parameters to `collect`."""
    decorators = [
        click.option("--config", "-c", metavar="FILE", help="The configuration file."),
        *(flag.option() for flag in FLAGS),
        click.option(
            "--rate-host",
            multiple=True,
            metavar="HOST=RATES",
            help="Rates of one host or of *.domain; may be given several times.",
        ),
        click.option("--rate-backend", metavar="NAME|URL", help="Where permits are counted: sqlite or memory."),
        click.option("--rate-config", metavar="FILE", help="A file with the limits section alone."),
        click.option(
            "--fallback-defaults",
            is_flag=True,
            help="Start with the safe defaults, and a loud warning, when the configuration file is bad.",
        ),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def collect(parameters: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Loaded:
    """The configuration that a command's parameters, the environment and the files mean. Raises ConfigError.

    Parameters that are not among `proxy_options` are ignored.
    """
    load = load_with_fallback if parameters.get("fallback_defaults") else load_settings
    return load(
        _path(parameters.get("config")),
        environ,
        overrides(parameters),
        rate_config=_path(parameters.get("rate_config")),
    )


def overrides(parameters: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[str, Any]]:
    """Key path -> (flag, value) for every option that was given."""
    given: dict[tuple[str, ...], tuple[str, Any]] = {
        tuple(flag.key.split(".")): (flag.name, _value(flag, parameters[flag.parameter]))
        for flag in FLAGS
        if parameters.get(flag.parameter) is not None
    }
    for item in parameters.get("rate_host") or ():
        host, _, rates = item.partition("=")
        given["limits", "hosts", host, "rates"] = ("--rate-host", rates)
    if (backend := parameters.get("rate_backend")) is not None:
        is_url = "://" in backend
        given["limits", "backend"] = ("--rate-backend", backend.partition("://")[0] if is_url else backend)
        if is_url:
            given["limits", "redis_url"] = ("--rate-backend", backend)
    return given


def arguments(parameters: Mapping[str, Any]) -> list[str]:
    """The command line that gives another command the same options."""
    words: list[str] = []
    for name in ("config", *(flag.parameter for flag in FLAGS), "rate_backend", "rate_config"):
        if (value := parameters.get(name)) is not None:
            words += [f"--{name.replace('_', '-')}", str(value)]
    for item in parameters.get("rate_host") or ():
        words += ["--rate-host", item]
    return [*words, "--fallback-defaults"] if parameters.get("fallback_defaults") else words


def _value(flag: Flag, text: str) -> str | int | bool:
    if flag.switch and text in _SWITCHES:
        return _SWITCHES[text]
    return int(text) if flag.number and re.fullmatch(r"-?[0-9]{1,18}", text) else text


def _path(text: str | None) -> Path | None:
    return Path(text) if text is not None else None
