"""The addon in a mitmproxy that is not ours: what `mitmdump -s` loads."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from mitmproxy import ctx
from mitmproxy.addonmanager import Loader

from sluicegate.proxy.addon import SluicegateAddon


class Embedded:
    """The addon, with what our own server would do around it: our authority, our trusted roots, an orderly end.

    `close` is awaited when mitmproxy is done. mitmproxy refuses to unload an addon that ends asynchronously, and so a
    script that was changed on disk never leaves a running mitmproxy without its limits (fail closed).
    """

    def __init__(
        self, addon: SluicegateAddon, *, confdir: Path, upstream_roots: Path, close: Callable[[], Awaitable[None]]
    ) -> None:
        self.addons = [addon]
        self._confdir = confdir
        self._upstream_roots = upstream_roots
        self._close = close

    def load(self, _loader: Loader) -> None:
        """Intercept with the authority that `sluicegate env` and `sluicegate ca` tell clients about."""
        ctx.options.update(confdir=str(self._confdir), ssl_verify_upstream_trusted_ca=str(self._upstream_roots))

    async def done(self) -> None:
        await self._close()
