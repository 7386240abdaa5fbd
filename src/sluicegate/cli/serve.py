"""`sluicegate serve`: the proxy in the foreground."""

import asyncio
import json
import os
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from sluicegate import collector
from sluicegate.cli.options import collect, proxy_options
from sluicegate.config.load import Loaded
from sluicegate.loop import handle_signals, run
from sluicegate.tasks import spawn
from sluicegate.workers.count import worker_count

if TYPE_CHECKING:
    from sluicegate.service import Service
    from sluicegate.workers.supervisor import Supervisor

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
    run(_serve(loaded, lambda: collect(parameters), ready_fd, hints=wanted))


async def _serve(loaded: Loaded, load: Callable[[], Loaded], ready_fd: int | None, *, hints: bool) -> None:
    service = _service(loaded, load)
    try:
        handle_signals(service.stop, service.reload)
        await service.start()
        collector.rest()
        if ready_fd is not None:
            _report(ready_fd, service.listen, service.admin, str(service.authority))
            spawn(_end_with_parent(ready_fd, service.stop), name="parent watch")
        elif hints:
            click.echo(_paste(service.listen, service.admin), err=True)
        await service.run()
    finally:
        await service.close()


def _service(loaded: Loaded, load: Callable[[], Loaded]) -> "Service | Supervisor":
    """One process, or the one above many. What is imported here takes a while; --help need not wait for it."""
    if worker_count(loaded.settings) > 1:
        from sluicegate.workers.supervisor import Supervisor  # noqa: PLC0415 - see above

        return Supervisor(loaded, load)
    from sluicegate.service import Service  # noqa: PLC0415 - see above

    return Service(loaded, load)


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
