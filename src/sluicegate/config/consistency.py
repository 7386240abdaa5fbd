"""What must hold between keys, and what no single key can know."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sluicegate.config.layers import Layer
from sluicegate.config.models import CacheRule, Settings
from sluicegate.config.values import Address
from sluicegate.config.yaml_tree import KeyPath, dotted
from sluicegate.errors import Problem

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Something that cannot hold. `keys` are all that take part; the first is where it is told."""

    keys: tuple[KeyPath, ...]
    message: str
    found: str
    allowed: str


def contradictions(settings: Settings, origin: Layer, suspects: Iterable[KeyPath]) -> list[Problem]:
    """Everything that cannot hold, placed by `origin`; what takes part and is itself in `suspects` is passed over."""
    bad = list(suspects)
    problems: list[Problem] = []
    for item in _all(settings):
        if any(_related(key, path) for key in item.keys for path in bad):
            continue
        place = origin.place(item.keys[0])
        problems.append(Problem(dotted(item.keys[0]), item.message, place.source, place.line, item.found, item.allowed))
    return problems


def _related(key: KeyPath, path: KeyPath) -> bool:
    shorter = min(len(key), len(path))
    return key[:shorter] == path[:shorter]


def _all(settings: Settings) -> Iterator[Contradiction]:
    yield from _unsafe_address(settings)
    yield from _same_address(settings)
    yield from _not_shared(settings)
    yield from _one_users_cache(settings)
    yield from _not_available_yet(settings)
    yield from _missing_file(settings)
    for index, rule in enumerate(settings.cache.rules):
        yield from _contradictory_rule(rule, ("cache", "rules", index))


def _unsafe_address(settings: Settings) -> Iterator[Contradiction]:
    if settings.listen.is_loopback or settings.access.allow or settings.access.users:
        return
    yield Contradiction(
        (("listen",), ("access", "allow"), ("access", "users")),
        "would let anyone who reaches this address use the proxy",
        str(settings.listen),
        "a loopback address, or any other together with access.allow or access.users",
    )


def _same_address(settings: Settings) -> Iterator[Contradiction]:
    listen, admin = settings.listen, settings.admin
    if admin is None or not _collide(listen, admin):
        return
    yield Contradiction((("admin",), ("listen",)), f"is taken by listen, {listen}", str(admin), "another port, or off")


def _collide(one: Address, other: Address) -> bool:
    if one.port == 0 or one.port != other.port:
        return False
    return one.host == other.host or one.host in _EVERY_ADDRESS or other.host in _EVERY_ADDRESS


def _not_shared(settings: Settings) -> Iterator[Contradiction]:
    if settings.workers in (1, "auto"):
        return
    for key, value, shared in (
        (("limits", "backend"), settings.limits.backend, "sqlite"),
        (("cache", "store"), settings.cache.store, "disk"),
    ):
        if value == "memory":
            yield Contradiction(
                (("workers",), key),
                f"several processes cannot share what {dotted(key)}: memory keeps in one of them",
                str(settings.workers),
                f"1 or auto, or {dotted(key)}: {shared}",
            )


def _one_users_cache(settings: Settings) -> Iterator[Contradiction]:
    users = settings.access.users
    if settings.cache.mode == "private" and len(users) > 1:
        yield Contradiction(
            (("cache", "mode"), ("access", "users")),
            f"would show what is meant for one of the {len(users)} users to the others",
            "private",
            "shared or off; or a proxy, with a state directory, for each user",
        )


def _not_available_yet(settings: Settings) -> Iterator[Contradiction]:
    if settings.limits.backend == "redis":
        yield Contradiction((("limits", "backend"),), "redis is not available yet", "redis", "sqlite | memory")


def _missing_file(settings: Settings) -> Iterator[Contradiction]:
    ca = settings.https.upstream_ca
    if ca is not None and not ca.is_file():
        yield Contradiction((("https", "upstream_ca"),), "is not a file", str(ca), "a PEM file of certificates")


def _contradictory_rule(rule: CacheRule, path: KeyPath) -> Iterator[Contradiction]:
    """A rule of which one half forbids, or has no need of, the other."""
    if rule.never:
        for name in ("ttl", "force", "immutable", "ignore_client_no_cache", "ignore_query", "sort_query"):
            if name in rule.model_fields_set and getattr(rule, name) not in (None, False, ()):
                message = "means nothing beside never, which keeps nothing"
                yield Contradiction(((*path, name), (*path, "never")), message, "", "one of both, or two rules")
    elif rule.force and rule.ttl is None:
        yield Contradiction(
            ((*path, "force"), (*path, "ttl")), "needs a ttl: it says for how long", "", "force together with ttl"
        )
    elif rule.ttl == 0:
        for name in ("force", "immutable"):
            if getattr(rule, name):
                message = "means nothing beside ttl: 0s, with which nothing is ever fresh"
                yield Contradiction(((*path, name), (*path, "ttl")), message, "", "a ttl of 1s or more")
    if rule.sort_query and rule.ignore_query == ("*",):
        message = "means nothing beside ignore_query: all"
        yield Contradiction(((*path, "sort_query"), (*path, "ignore_query")), message, "", "one of both")
