"""The dashboard in a real browser."""

import asyncio
import json

from support.browser import open_page
from support.origin import ThreadedOrigin, answer, hang, response
from support.proxy import running_proxy

CACHEABLE = answer(response(body=b"kept", fields=[("Cache-Control", "max-age=600")]))
CARDS = """
Object.fromEntries([...document.querySelectorAll("#cards div")].map(
    (card) => [card.querySelector("dt").textContent, card.querySelector("dd").textContent]))
"""
ROWS = """
[...document.querySelectorAll("#limits tr")].map((row) => [...row.cells].map((cell) => cell.textContent).join("|")).join()
"""


def shows(**cards):
    """A JavaScript expression: whether the page has these figures."""
    return f"Object.entries({json.dumps(cards)}).every(([name, value]) => ({CARDS})[name] === value)"


async def test_it_shows_live_figures_and_complains_of_nothing(tmp_path):
    limits = {"hosts": {"127.0.0.1": {"rates": ["100/second"]}}}
    with ThreadedOrigin(CACHEABLE) as origin, running_proxy(tmp_path, limits=limits) as proxy:
        proxy.get(f"{origin.url}/page")
        async with open_page(f"http://{proxy.admin}/", tmp_path) as page:
            await page.until(shows(Requests="1", Hits="0 (0.0 %)", Permits="1"))
            assert await page.evaluate("document.getElementById('health').textContent") == "ready"
            assert f"on {proxy.host}:{proxy.port}" in await page.evaluate("document.body.innerText")

            await asyncio.to_thread(proxy.get, f"{origin.url}/page")
            await page.until(shows(Requests="2", Hits="1 (50.0 %)", Permits="1"))
            with (
                ThreadedOrigin(hang) as silent,
                proxy.raw(f"GET {silent.url}/ HTTP/1.1\r\nHost: 127.0.0.1:{silent.port}\r\n\r\n".encode()),
            ):
                await page.until(f"({ROWS}).includes('127.0.0.1|127.0.0.1|100/second|0|1')")
            await page.until(f"({ROWS}) == 'No request is waiting or on its way.'")
            assert page.complaints == []
