import asyncio

import pytest
from mitmproxy import hooks
from mitmproxy.exceptions import AddonManagerError
from mitmproxy.test import taddons

from sluicegate.proxy.embedded import Embedded


class Addon:
    """Stands in for Sluicegate's."""


async def test_it_intercepts_with_our_authority_and_closes_in_the_end(tmp_path):
    addon, closed = Addon(), asyncio.Event()

    async def close():
        closed.set()

    embedded = Embedded(addon, confdir=tmp_path, upstream_roots=tmp_path / "roots.pem", close=close)
    with taddons.context() as tctx:
        tctx.master.addons.add(embedded)
        assert addon in embedded.addons
        assert tctx.options.confdir == str(tmp_path)
        assert tctx.options.ssl_verify_upstream_trusted_ca == str(tmp_path / "roots.pem")

        await tctx.master.addons.trigger_event(hooks.DoneHook())
    assert closed.is_set()


async def test_mitmproxy_cannot_unload_it_while_it_runs(tmp_path):
    async def close():
        pytest.fail("it was closed")

    embedded = Embedded(Addon(), confdir=tmp_path, upstream_roots=tmp_path, close=close)
    with taddons.context() as tctx:
        tctx.master.addons.add(embedded)
        with pytest.raises(AddonManagerError):
            tctx.master.addons.remove(embedded)
