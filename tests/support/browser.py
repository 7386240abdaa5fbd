"""A headless Chromium, driven over its DevTools protocol.

async with open_page("http://127.0.0.1:9090/", tmp_path) as page:
    await page.until("document.title === 'Ready'")
    assert page.complaints == []
"""

import asyncio
import contextlib
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from support.proxy import clean_environ, wait_until

DEADLINE_S = 30
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--remote-debugging-port=0",
)


class Page:
    """A browser's page. `complaints`: errors and warnings on its console, and exceptions nobody caught."""

    def __init__(self, connection: ClientConnection) -> None:
        self.complaints: list[str] = []
        self._connection = connection
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One DevTools command; events that come meanwhile are looked at."""
        number = next(self._numbers)
        await self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (message := json.loads(await self._connection.recv())).get("id") != number:
            self._note(message)
        assert "error" not in message, message
        return message["result"]

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until a JavaScript expression is true."""
        async with asyncio.timeout(DEADLINE_S):
            while not await self.evaluate(expression):
                await asyncio.sleep(0.02)  # between two looks

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(parameters["entry"]))


@contextlib.asynccontextmanager
async def open_page(url: str, directory: Path) -> AsyncIterator[Page]:
    """Start a browser with a profile under `directory`, and let it load `url`."""
    profile = directory / "profile"
    profile.mkdir()
    with (directory / "chromium.log").open("wb") as log:
        browser = subprocess.Popen(
            [str(shutil.which("chromium")), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=log,
            stderr=log,
            env=clean_environ(HOME=str(directory)),
        )
    try:
        port = profile / "DevToolsActivePort"
        wait_until(lambda: port.exists() and port.read_text().count("\n"), "the browser", deadline_s=DEADLINE_S)
        number, path = port.read_text().split("\n")
        async with asyncio.timeout(DEADLINE_S), connect(f"ws://127.0.0.1:{number}{path}", proxy=None) as root:
            targets = await Page(root).call("Target.getTargets")
            (target,) = [info["targetId"] for info in targets["targetInfos"] if info["type"] == "page"]
        place = f"ws://127.0.0.1:{number}/devtools/page/{target}"
        async with connect(place, proxy=None, max_size=None) as connection:
            page = Page(connection)
            for domain in ("Runtime", "Log", "Page"):
                await page.call(f"{domain}.enable")
            await page.call("Page.navigate", url=url)
            yield page
    finally:
        browser.terminate()
        browser.wait(20)
