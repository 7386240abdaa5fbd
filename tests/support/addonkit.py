"""The addon with mitmproxy's own objects around it, and the engine's bench under it."""

import contextlib
from pathlib import Path

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy import events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.test import taddons, tflow

from sluicegate.clock import SystemClock
from sluicegate.core.access import AccessPolicy
from sluicegate.core.interception import Interception
from sluicegate.exchange.call import Identity
from sluicegate.exchange.hits import Hits
from sluicegate.proxy.addon import SluicegateAddon
from sluicegate.proxy.hub import Services
from sluicegate.proxy.wayside import Wayside

ME = Identity(b"me")
EVERYTHING = Interception()


@contextlib.asynccontextmanager
async def addon_on(bench, *, interception=EVERYTHING, access=None, parent=None):
    access = access or AccessPolicy()
    services = Services(
        bench.engine,
        Hits(store=bench.store, rules=bench.rules, access=access),
        Wayside(gate=bench.gate, access=access, identity=ME, parent=parent),
        interception,
        65536,
        Path("ca.pem"),
    )
    bench.engine.access = access
    addon = SluicegateAddon(services, clock=SystemClock(), events=bench.events)
    with taddons.context(Proxyserver(), addon) as tctx:
        addon.options = tctx.options
        yield addon


def context_of(addon, *, tunnel=None, tls=False):
    client = Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN)
    client.tls = tls
    context = Context(client, addon.options)
    context.server.address = tunnel
    return context


async def layer_for(addon, data, **options):
    return await layer_in(addon, context_of(addon, **options), data)


async def layer_in(addon, context, data):
    nextlayer = layer.NextLayer(context)
    nextlayer.events.append(events.DataReceived(context.client, data))
    await addon.next_layer(nextlayer)
    return nextlayer.layer


def connect_to(host, port=443):
    flow = tflow.tflow()
    flow.request.method = "CONNECT"
    flow.request.host, flow.request.port = host, port
    flow.response = None
    return flow
