"""What changed between two configurations, and whether it can take effect without a restart."""

from dataclasses import dataclass

from pydantic import BaseModel

from sluicegate.config.models import Settings
from sluicegate.config.yaml_tree import KeyPath, dotted

LIVE: tuple[KeyPath, ...] = (
    ("limits", "max_inflight"),
    ("limits", "default"),
    ("limits", "hosts"),
    ("log", "level"),
    ("https", "mode"),
    ("https", "tunnel"),
    ("access",),
    ("cache", "mode"),
    ("cache", "max_size"),
    ("cache", "collapse"),
    ("cache", "finish_when_abandoned"),
    ("cache", "targeted"),
    ("cache", "stale"),
    ("cache", "offline"),
    ("cache", "rules"),
    ("upstream",),
)
"""The keys that take effect on a reload, with all that is under them. Every other key needs a restart."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The dotted keys that differ, by what it takes for them to count."""

    live: list[str]
    needs_restart: list[str]

    def __bool__(self) -> bool:
        return bool(self.live or self.needs_restart)


def compare(old: Settings, new: Settings) -> Changes:
    """Key by key, in the order of the models; an added or removed host is told as one key."""
    paths = list(_differences(old, new, ()))
    return Changes(
        live=[dotted(path) for path in paths if is_live(path)],
        needs_restart=[dotted(path) for path in paths if not is_live(path)],
    )


def with_fixed(old: Settings, new: Settings) -> Settings:
    """The new settings, but for what cannot change while the proxy runs."""
    return new.model_copy(
        update={
            "listen": old.listen,
            "admin": old.admin,
            "admin_token": old.admin_token,
            "state_dir": old.state_dir,
            "workers": old.workers,
            "upstream_proxy": old.upstream_proxy,
            "log": new.log.model_copy(update={"file": old.log.file, "format": old.log.format}),
            "limits": new.limits.model_copy(update={"backend": old.limits.backend}),
            "cache": new.cache.model_copy(update={"store": old.cache.store}),
            "https": new.https.model_copy(update={"upstream_ca": old.https.upstream_ca}),
        }
    )


def is_live(path: KeyPath) -> bool:
    """Whether a change of this key takes effect on a reload."""
    return any(path[: len(live)] == live for live in LIVE)


def _differences(old: object, new: object, path: KeyPath) -> list[KeyPath]:
    if isinstance(old, BaseModel) and isinstance(new, BaseModel):
        pairs = {name: (getattr(old, name), getattr(new, name)) for name in type(old).model_fields}
    elif isinstance(old, dict) and isinstance(new, dict):
        pairs = {name: (old.get(name), new.get(name)) for name in old | new}
    else:
        return [] if old == new else [path]
    return [found for name, (a, b) in pairs.items() for found in _differences(a, b, (*path, name))]
