"""`sluicegate serve`: the proxy in the foreground."""

import asyncio
import gc
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import click

from sluicegate.cli.options import collect, proxy_options
from sluicegate.config.load import Loaded
from sluicegate.tasks import spawn

EXAMPLES = """\b
Examples:
  sluicegate serve
  sluicegate serve --config sluicegate.yaml
  sluicegate serve --rate-default 5/second --rate-host 'api.example.com=100/minute'
  sluicegate serve --log-format json | jq 'select(.stage=="rate-limiter")'
"""


@click.command(epilog=EXAMPLES)
@proxy_options
@click.option(
    "--hints/--no-hints",
    default=None,
    help="Print on standard error what to paste into a shell; by default on a terminal.",
)
@click.option("--ready-fd", type=int, hidden=True, help="Tell on this descriptor, in one JSON line, when ready.")
def command(ready_fd: int | None, hints: bool | None, **parameters: Any) -> None:
    """Start the proxy in the foreground.

    SIGTERM or Ctrl-C stops it: requests under way may finish, for `drain_timeout` at most; a second one ends at once.
    SIGHUP, or a change of the file, reloads the configuration; a bad one is reported and the old one stays.
    """
    loaded = collect(parameters)
    wanted = sys.stderr.isatty() if hints is None else hints
    _run(_serve(loaded, lambda: collect(parameters), ready_fd, hints=wanted))


def _run(main: Any) -> None:
    try:
        import uvloop  # noqa: PLC0415 - absent on Windows
    except ImportError:
        asyncio.run(main)
    else:
        uvloop.run(main)


async def _serve(loaded: Loaded, load: Callable[[], Loaded], ready_fd: int | None, *, hints: bool) -> None:
    # mitmproxy takes a while to import; --help and a bad configuration need not wait for it.
    from sluicegate.service import Service  # noqa: PLC0415

    service = Service(loaded, load)
    try:
        service.handle_signals()
        await service.start()
        _rest_collector()
        if ready_fd is not None:
            _report(ready_fd, service.listen, service.admin, str(service.runtime.authority.cert_path))
            spawn(_end_with_parent(ready_fd, service.stop), name="parent watch")
        elif hints:
            click.echo(_paste(service.listen, service.admin), err=True)
        await service.run()
    finally:
        await service.close()


def _rest_collector() -> None:
    """Leave what the start has made out of garbage collection, and collect less often than Python would.

    A request leaves no circles behind, a connection does; at this threshold a collection takes a few milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _report(descriptor: int, listen: str, admin: str, authority: str) -> None:
    os.write(descriptor, json.dumps({"listen": listen, "admin": admin, "ca": authority}).encode() + b"\n")


async def _end_with_parent(descriptor: int, stop: Callable[[], None]) -> None:
    """End when whoever started us is gone: then its end of the socket is closed."""
    with socket.socket(fileno=descriptor) as parent:
        parent.setblocking(False)
        await asyncio.get_running_loop().sock_recv(parent, 1)
    stop()


def _paste(listen: str, admin: str) -> str:
    lines = [
        f"Sluicegate listens on {listen}. In another shell, paste:",
        "",
        f'    eval "$({_command()} env --listen {listen})"',
        "",
        f"or run one command through it: {_command()} run -- COMMAND",
    ]
    if admin:
        lines.append(f"Dashboard: http://{admin}/")
    return "\n".join([*lines, "Ctrl-C stops it."])


def _command() -> str:
    return sys.argv[0] if os.sep in sys.argv[0] else "sluicegate"
