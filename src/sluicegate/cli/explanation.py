"""An explanation laid out for people."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from sluicegate.cli.output import console
from sluicegate.core.caching.freshness import Source
from sluicegate.core.text import human_bytes, human_seconds, printable
from sluicegate.explain.decision import CacheView, Decision, Why
from sluicegate.explain.document import Explanation, Route
from sluicegate.explain.fetched import Fetched
from sluicegate.explain.limits import LimitView
from sluicegate.explain.stored import Selector, Variant

_INDENT = 11
_ACTIONS = {
    "hit": ("Hit", "bold green"),
    "revalidate": ("Revalidate", "bold yellow"),
    "complete": ("Complete", "bold yellow"),
    "forward": ("Forward", "bold cyan"),
    "refuse": ("Refuse", "bold red"),
}
_NO_COLOR = ""


class _Line(NamedTuple):
    """A line under a heading, which is empty where the one above goes on."""

    text: str
    heading: str = ""
    style: str = _NO_COLOR
    dim: str = ""
    """What follows, less loud."""


def show(explanation: Explanation) -> None:
    """Print it on standard output."""
    out = console()
    out.print(Text(printable(f"{explanation.method} {explanation.url}"), style="bold"))
    _print(out, _before(explanation.route))
    if explanation.cache is not None:
        _print(out, _cache(explanation))
    _print(out, _limit(explanation))
    _print(out, (_Line(remark, "Note" if not number else "") for number, remark in enumerate(explanation.remarks)))
    if explanation.fetched is not None:
        _print(out, _fetched(explanation.fetched))
    elif explanation.cache is not None and explanation.cache.decision.action != "hit":
        _print(out, [_Line("--fetch makes the request, and tells what the answer says and whether it was stored.", "")])


def _print(out: Console, lines: "Iterator[_Line] | list[_Line]") -> None:
    began = False
    for line in lines:
        if not began:
            out.print()
            began = True
        text = Text(line.heading.ljust(_INDENT), style="bold")
        text.append(printable(line.text), style=line.style or "not bold")
        if line.dim:
            text.append(f"  {printable(line.dim)}", style="not bold dim")
        out.print(text)


def _before(route: Route) -> Iterator[_Line]:
    if route.forbidden is not None:
        yield _Line(f"Refused with 403: {route.forbidden}", "Access", "bold red")
        if route.advice:
            yield _Line(route.advice)
    elif route.guarded:
        yield _Line("Allowed, unless its name leads to a private address.", "Access")
    if route.https == "tunnel":
        yield _Line("Tunneled: the proxy passes bytes on and sees no requests.", "HTTPS")
        yield _Line("Nothing is cached; each connection costs one permit (https.mode, https.tunnel).")
    elif route.https == "intercept":
        yield _Line("Intercepted: each request is cached and limited by itself.", "HTTPS")


def _cache(explanation: Explanation) -> Iterator[_Line]:
    cache = explanation.cache
    assert cache is not None
    yield _Line(cache.key, "Key")
    if cache.rule is not None:
        yield _Line(f"cache.rules[{cache.rule.index}]: {cache.rule.covers}", "Rule")
        for effect in cache.rule.effects:
            yield _Line(effect)
    yield from _decision(cache.decision, "Now")
    if cache.steered_by:
        named = ", ".join(cache.steered_by)
        yield _Line(f"The request has {named}, which may lead to another answer than its URL: no key stands for it.")
    if cache.refuses_to_store is not None:
        unless = "" if cache.refuses_anything else ", unless it expressly allows that"
        yield _Line(f"What the origin answers is not kept{unless}.", "Then")
        yield _because(cache.refuses_to_store)
    elif cache.decision.action in ("forward", "revalidate", "complete"):
        yield _Line(f"What the origin answers is kept if it allows that (cache.mode: {explanation.mode}).", "Then")
    yield from _later(cache)
    yield from _stored(cache)


def _decision(decision: Decision, heading: str) -> Iterator[_Line]:
    name, style = _ACTIONS[decision.action]
    yield _Line(f"{name}: {decision.summary}", heading, style)
    yield _because(decision.why)
    if decision.fresh_for_s is not None:
        yield _Line(_freshness(decision.fresh_for_s))
    for field in decision.sends:
        yield _Line(f"asks with {field}")
    yield _Line("Cache-Status:", dim=decision.cache_status)


def _because(why: Why) -> _Line:
    return _Line(why.text, dim=f"{why.reason}, {why.section}")


def _later(cache: CacheView) -> Iterator[_Line]:
    if cache.later is not None:
        decision = cache.later.decision
        yield _Line(f"In {human_seconds(cache.later.after_s)}: {decision.summary}", "Then")
        for field in decision.sends:
            yield _Line(f"asks with {field}")


def _stored(cache: CacheView) -> Iterator[_Line]:
    if not cache.stored:
        yield _Line("nothing", "Stored")
    for number, variant in enumerate(cache.stored):
        yield from _variant(variant, "Stored" if number == 0 else "", used=variant.id in cache.decision.uses)


def _variant(variant: Variant, heading: str, *, used: bool) -> Iterator[_Line]:
    size = "" if variant.body_bytes is None else f", {human_bytes(variant.body_bytes)}"
    part = f", only {variant.part}" if variant.part else ""
    yield _Line(f"{variant.status}{size}{part}{', meant by this request' if used else ''}", heading)
    lifetime = variant.lifetime
    unsaid = lifetime.source == Source.NOTHING.token
    fresh = lifetime.text if unsaid else f"{human_seconds(lifetime.seconds)} by {_source(variant)}"
    yield _Line(f"  age {human_seconds(variant.age_s)}, lifetime {fresh}", dim=lifetime.section)
    yield _Line(f"  {_freshness(variant.fresh_for_s)}")
    if variant.asks_each_time:
        yield _Line("  no-cache: the origin is asked each time", dim="RFC 9111 §5.2.2.4")
    elif variant.never_stale:
        yield _Line("  must not be used stale", dim="RFC 9111 §4.2.4")
    for permission in variant.stale:
        until = "" if permission.up_to_s is None else f", until {human_seconds(permission.up_to_s)} after its time"
        yield _Line(f"  may be used stale {permission.text}{until}", dim=permission.section)
    if variant.strayed:
        yield _Line("  stored under this key by a rule that is no longer in force: it answers nothing", style="yellow")
    yield _Line(f"  {_validators(variant)}")
    for selector in variant.vary:
        yield _selector(selector)


def _source(variant: Variant) -> str:
    lifetime = variant.lifetime
    if lifetime.source in {"max-age", "s-maxage"} and lifetime.field != "cache-control":
        return f"{lifetime.text} of {lifetime.field}"
    return lifetime.text


def _selector(selector: Selector) -> _Line:
    if selector.name == "*":
        return _Line("  Vary: *: no request matches", dim="RFC 9111 §4.1")
    stored, asked = (f"“{value}”" if value is not None else "none" for value in (selector.stored, selector.asked))
    says = f"the same, {stored}" if selector.matches else f"stored for {stored}, this request has {asked}: no match"
    return _Line(
        f"  Vary: {selector.name}: {says}", dim="RFC 9111 §4.1", style=_NO_COLOR if selector.matches else "yellow"
    )


def _validators(variant: Variant) -> str:
    said = [
        f"{name} {value}"
        for name, value in (("ETag", variant.etag), ("Last-Modified", variant.last_modified))
        if value is not None
    ]
    return (
        ", ".join(said) if said else "no ETag and no Last-Modified: the origin cannot be asked whether it is still good"
    )


def _freshness(seconds: int) -> str:
    return f"fresh for another {human_seconds(seconds)}" if seconds > 0 else f"stale for {human_seconds(-seconds)}"


def _limit(explanation: Explanation) -> Iterator[_Line]:
    limit = explanation.limit
    rates = " ".join(limit.rates) or "unlimited"
    yield _Line(
        f"{limit.name}: {rates}, {limit.concurrency} at the same time, counted for {limit.counted_for}", "Limit"
    )
    yield _Line(limit.text)
    yield _wait(limit, explanation.cache)
    queue = explanation.queue
    if queue is not None:
        yield _Line(f"The proxy on {queue.proxy} has {queue.waiting} requests waiting and {queue.in_flight} in flight.")


def _wait(limit: LimitView, cache: CacheView | None) -> _Line:
    if cache is not None and cache.decision.asks_meanwhile:
        return _Line("This request waits for nothing; asking meanwhile costs a permit.")
    if cache is not None and cache.decision.action in ("hit", "refuse"):
        return _Line("This request does not go to the origin: it waits for nothing and costs no permit.")
    if limit.wait_s is None:
        return _Line("How long it would wait now is not known.")
    if not limit.rates:
        return _Line("It would not wait for a permit.")
    if limit.wait_s <= 0:
        return _Line("A permit is free: it would not wait.")
    spent = f"It would wait {human_seconds(limit.wait_s)}: what the rates allow is spent for now"
    if limit.refused:
        then = "answered 429" if cache is None or cache.if_refused is None else "answered with what is stored"
        over = f"That is over max_wait ({human_seconds(limit.max_wait_s)}): {then}"
        return _Line(f"{spent}. {over}.", style="bold red")
    return _Line(f"{spent}, by any process on this state directory.", style="yellow")


def _fetched(done: Fetched) -> Iterator[_Line]:
    yield _Line(_outcome(done), "Fetched", "bold red" if done.unanswered else "bold green")
    if done.detail:
        yield _Line(done.detail)
    waited = (
        f"waited {human_seconds(done.waited_s)} at the limiter" if done.waited_s >= _NOTEWORTHY_S else "did not wait"
    )
    if done.upstream_s is not None:
        came = f"the origin answered {done.upstream_status} after {human_seconds(done.upstream_s)} on a {done.connection} connection"
        yield _Line(f"{waited}; {came}")
    if done.error is not None:
        return
    if done.upstream_error is not None:
        yield _Line(done.upstream_error)
    for field in done.fields:
        yield _Line(f"  {field}", style="dim")
    yield from _kept(done)
    if done.after is not None:
        yield from _decision(done.after.decision, "Again")
        yield from _later(done.after)
        yield from _stored(done.after)


_NOTEWORTHY_S = 0.001


def _outcome(done: Fetched) -> str:
    if done.error is not None:
        return f"no answer from the origin: {done.status}, {done.error}"
    size, took = human_bytes(done.body_bytes), human_seconds(done.total_s)
    return f"{done.status}, {size} in {took}; cache: {done.cache}"


def _kept(done: Fetched) -> Iterator[_Line]:
    if done.not_stored is not None:
        yield _Line(f"Not stored. {done.not_stored}", style="yellow")
    elif done.stored:
        yield _Line("Stored.", style="green", dim="" if done.why is None else f"{done.why.reason}, {done.why.section}")
    elif done.why is not None:
        yield _Line(
            f"{'' if done.upstream_status is None else 'Not stored. '}{done.why.text}",
            dim=f"{done.why.reason}, {done.why.section}",
        )
