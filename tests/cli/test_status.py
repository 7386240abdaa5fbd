import asyncio
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner
from rich.console import Console

from sluicegate.admin.server import AdminServer
from sluicegate.cli.status import command, report
from sluicegate.observe.state import LimitState, State
from sluicegate.observe.status import ConfigInfo, status_document
from sluicegate.observe.totals import Totals


def document():
    return status_document(
        listen="127.0.0.1:3128",
        uptime_s=3700,
        config=ConfigInfo(None, "abc123", 1_800_000_000.0),
        totals=Totals(requests=4, hits=1, bytes_sent=4096, bytes_from_cache=1024, wait_s=1.5, permits=3, rejected=2),
        state=State([LimitState("h[red].example", "*.example", "10/second", 8, queue=12, in_flight=3)], 5, 2048, 3, 1),
    )


async def status_now():
    return document()


async def no_metrics(_accept):
    return b"", ""


@pytest.fixture
def admin_address():
    """A real admin server on a loop of its own."""
    started = threading.Event()
    server = AdminServer("127.0.0.1", 0, status=status_now, ready=lambda: True, metrics=no_metrics)
    loop = asyncio.new_event_loop()

    async def serve():
        await server.start()
        loop.call_soon(started.set)
        await ended.wait()
        await server.stop()

    ended = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(20)
    yield server.address
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


def status(*arguments, **environment):
    return CliRunner(env=environment).invoke(command, arguments)


def test_status_tells_people_what_the_proxy_is_doing(admin_address):
    result = status("--admin", admin_address)

    assert result.exit_code == 0
    for words in (
        "on 127.0.0.1:3128",
        "1 h 1 min",
        "embedded defaults",
        "1 (25.0 %)",
        "1 KiB of 4 KiB",
        "3 permits, 2 refused",
        "1.5 s",
        "5 entries, 2 KiB",
    ):
        assert words in result.output
    (row,) = (line.split() for line in result.output.splitlines() if "*.example" in line)
    assert row == ["h[red].example", "*.example", "10/second", "12", "3"]


def test_several_workers_are_counted_and_those_that_do_not_answer_told():
    def told(*responding):
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(report(document() | {"workers": [{"responding": answer} for answer in responding]}))
        return console.export_text()

    assert "with 3 workers\n" in "\n".join(map(str.rstrip, told(True, True, True).splitlines()))
    assert "with 3 workers, 1 of them not answering" in told(True, False, True)
    assert "workers" not in told()


def test_status_json_is_the_admin_servers_own(admin_address):
    result = status("--admin", admin_address, "--json")

    assert json.loads(result.stdout) == document()


def test_the_address_can_come_from_the_environment_and_proxy_variables_are_not_heeded(admin_address):
    result = status(
        "--json", SLUICEGATE_ADMIN=admin_address, http_proxy="http://127.0.0.1:1", HTTP_PROXY="http://127.0.0.1:1"
    )

    assert result.exit_code == 0


def test_where_nothing_listens_the_message_says_so_and_what_to_do():
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]

    result = status("--admin", f"127.0.0.1:{port}")

    assert result.exit_code == 1
    assert f"No proxy answers on 127.0.0.1:{port}" in result.stderr
    assert "--admin" in result.stderr


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"SSH-2.0-x\r\n", b""])
def test_something_else_that_listens_there_is_told_apart(answer):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reply():
            client, _ = server.accept()
            with client:
                client.recv(65_536)
                client.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        result = status("--admin", f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()

    assert result.exit_code == 1
    assert "no Sluicegate admin server" in result.stderr


def test_a_malformed_address_is_a_usage_error():
    result = status("--admin", "nonsense")

    assert result.exit_code == 2
    assert "--admin" in result.stderr


@pytest.mark.parametrize(("flags", "wanted"), [(["--json"], '"version"'), ([], "Requests")])
def test_watch_goes_on_until_it_is_interrupted(admin_address, flags, wanted):
    arguments = ["--admin", admin_address, "--watch", "--interval", "0.1", *flags]
    program = "import sys; from sluicegate.cli.status import command; command(sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as watching:
        seen = 0
        while seen < 3:
            seen += wanted in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        watching.stdout.read()

    assert watching.returncode == 0
