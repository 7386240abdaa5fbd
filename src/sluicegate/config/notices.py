"""What the log says about loading and reloading: the same words whether one process serves or many."""

from collections.abc import Iterable

from sluicegate.config.diff import Changes
from sluicegate.core.events import Level, Notice, Stage
from sluicegate.errors import ConfigError, Problem


def on_reload(changes: Changes, checksum: str) -> list[Notice]:
    """A new configuration is in force; what of it waits for a restart is told by a second notice."""
    message = "The configuration was reloaded." if changes else "The configuration was reloaded; nothing changed."
    fields: dict[str, object] = {"changed": changes.live, "checksum": checksum}
    notices = [Notice(Stage.CONFIG, "reloaded", Level.INFO, message, fields)]
    if changes.needs_restart:
        notices.append(
            Notice(
                Stage.CONFIG,
                "restart_needed",
                Level.WARNING,
                "Some changes take effect only after a restart: " + ", ".join(changes.needs_restart) + ".",
                {"keys": changes.needs_restart},
            )
        )
    return notices


def on_bad_reload(error: ConfigError) -> Notice:
    """The new configuration is bad."""
    return Notice(
        Stage.CONFIG,
        "reload_failed",
        Level.ERROR,
        f"The new configuration is bad; the old one stays in force: {_joined(error.problems)}",
    )


def on_fallback(problems: Iterable[Problem]) -> list[Notice]:
    """The start was on the safe defaults because of these problems; nothing when there are none."""
    told = _joined(problems)
    message = f"The configuration is bad and the safe defaults are in force instead: {told}"
    return [Notice(Stage.CONFIG, "fallback_defaults", Level.ERROR, message)] if told else []


def _joined(problems: Iterable[Problem]) -> str:
    return "; ".join(str(problem) for problem in problems)
