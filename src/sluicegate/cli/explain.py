"""`sluicegate explain`: what cache and limiter would do with a request, and why."""

import secrets
from typing import Any
from urllib.parse import urlsplit

import click

from sluicegate.cli.explanation import show
from sluicegate.cli.options import collect, proxy_options
from sluicegate.cli.output import print_json
from sluicegate.cli.request_options import field_option, parse_method
from sluicegate.cli.status import Unreachable
from sluicegate.cli.status import fetch as ask_proxy
from sluicegate.clock import Clock, SystemClock
from sluicegate.config import compile as compiled
from sluicegate.config.load import Loaded
from sluicegate.config.models import Settings
from sluicegate.config.passwords import CachedVerifier
from sluicegate.core.http import FieldList, RequestHead, end_to_end
from sluicegate.core.urls import request_for
from sluicegate.exchange.asking import OWN_CLIENT, ask
from sluicegate.exchange.call import Call
from sluicegate.explain.decision import view
from sluicegate.explain.document import Explanation, Queue, Route, route
from sluicegate.explain.fetched import Fetched, Happened, fetched
from sluicegate.explain.limits import limit_view
from sluicegate.groundwork import make_state_dir
from sluicegate.inspection import Inspection
from sluicegate.loop import run
from sluicegate.observe.mask import mask_text
from sluicegate.observe.witness import Witness
from sluicegate.outgoing import Outgoing, access_policy

EXAMPLES = """\b
Examples:
  sluicegate explain https://example.org/file.tar.gz
  sluicegate explain https://example.org/ -H 'Accept-Encoding: gzip' -H 'Cache-Control: max-age=60'
  sluicegate explain --fetch https://example.org/
"""


@click.command(short_help="Tell what cache and limiter would do with a request, and why.", epilog=EXAMPLES)
@click.argument("url")
@field_option
@click.option(
    "-X",
    "--request",
    "method",
    default="GET",
    show_default=True,
    metavar="METHOD",
    callback=parse_method,
    help="Its method.",
)
@click.option("--fetch", is_flag=True, help="Make the request, through cache and limiter, and tell what happened.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@proxy_options
@click.pass_context
def command(
    ctx: click.Context, /, *, url: str, fields: FieldList, method: str, fetch: bool, as_json: bool, **parameters: Any
) -> None:
    """Tell what cache and limiter would do with a request for URL, and why.

    Nothing is fetched without --fetch. What is stored and what was spent is looked up in the state directory, whether a
    proxy runs on it or not. Exit code 1 when --fetch got no answer from the origin.
    """
    loaded = collect({**parameters, "fallback_defaults": False})
    request = request_for(url, fields, method=method)
    explanation = run(_explained(loaded, request, fetch=fetch, told=_on_userinfo(url)))
    if as_json:
        print_json(explanation.document())
    else:
        show(explanation)
    if explanation.fetched is not None and explanation.fetched.unanswered:
        ctx.exit(1)


async def _explained(loaded: Loaded, request: RequestHead, *, fetch: bool, told: list[str]) -> Explanation:
    settings, clock, witness = loaded.settings, SystemClock(), Witness()
    origin = request.origin
    way = route(origin.host, origin.scheme, compiled.interception(settings), access_policy(settings, CachedVerifier()))
    limit, key = compiled.limit_table(settings).match(origin.host)
    rules = compiled.cache_rules(settings)
    queue, unasked = _queue(loaded, key)
    inspection = Inspection(settings, clock=clock, events=witness)
    wait_s = await inspection.wait_s(key, limit)
    cache = None
    if not _unseen(way):
        entries = await inspection.stored(rules.key(request))
        cache = view(request.with_fields(end_to_end(request.fields)), entries, rules, clock.wall())
    happened = await _fetched(settings, request, way, clock, witness) if fetch else None
    return Explanation(
        method=request.method,
        url=request.url,
        fields=[mask_text(f"{name.decode()}: {value.decode('latin-1')}") for name, value in request.fields],
        mode=settings.cache.mode,
        store=settings.cache.store,
        route=way,
        cache=cache,
        limit=limit_view(limit, key, wait_s),
        queue=queue,
        remarks=[*told, *inspection.remarks, *unasked, *witness.warnings],
        fetched=happened,
    )


def _on_userinfo(url: str) -> list[str]:
    if "@" not in urlsplit(url).netloc:
        return []
    return ["The user and the password in the URL are left out; with -H 'Authorization: …' the request has them."]


def _unseen(way: Route) -> bool:
    """The cache never sees the request."""
    return way.https == "tunnel" or way.forbidden is not None


async def _fetched(settings: Settings, request: RequestHead, way: Route, clock: Clock, witness: Witness) -> Fetched:
    """Make the request, as one more process on the state directory."""
    make_state_dir(settings.state_dir)
    outgoing = Outgoing(settings, clock=clock, events=witness)
    try:
        call = Call(f"explain-{secrets.token_hex(4)}", OWN_CLIENT, request, may_use_cache=way.https != "tunnel")
        happened = await _happened(outgoing, call, clock, witness)
        after = None
        if not _unseen(way):
            rules = compiled.cache_rules(settings)
            entries = await outgoing.store.entries(rules.key(request))
            after = view(request.with_fields(end_to_end(request.fields)), entries, rules, clock.wall())
        return fetched(happened, after, max_entry_size=compiled.max_entry_size(settings))
    finally:
        await outgoing.close()


async def _happened(outgoing: Outgoing, call: Call, clock: Clock, witness: Witness) -> Happened:
    began = clock.now()
    asked = await ask(outgoing.engine, call)
    return Happened(
        head=asked.head,
        cache=call.cache,
        reason=call.reason,
        stored=call.stored,
        waited_s=call.wait_s,
        total_s=clock.now() - began,
        body_bytes=asked.body_bytes,
        error=asked.error,
        detail=asked.detail,
        answered=witness.answered.get(call.request_id),
        failed=witness.failed.get(call.request_id),
    )


def _queue(loaded: Loaded, key: str) -> tuple[Queue | None, list[str]]:
    """What the running proxy of this configuration says of who waits; or what is to be said of it."""
    admin = loaded.settings.admin
    if admin is None or not admin.port:
        return None, []
    try:
        status = ask_proxy(admin)
    except Unreachable:
        return None, [f"No proxy answers on {admin}: whether requests wait in one is not known."]
    if status["config"]["checksum"] != loaded.checksum:
        return None, [f"The proxy on {admin} has another configuration; what waits in it is not counted here."]
    limit = next((limit for limit in status["limits"] if limit["key"] == key), None)
    waiting, in_flight = (limit["queue"], limit["in_flight"]) if limit is not None else (0, 0)
    return Queue(str(status["listen"]), waiting, in_flight), []
