"""From what a command line names to the URLs that are meant: lists, sitemaps, single URLs."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from sluicegate.core.urls import parse_url
from sluicegate.errors import NotAUrl, SluicegateError
from sluicegate.warming.lists import Wanting
from sluicegate.warming.sitemap import SitemapError, is_packed, looks_like_xml, read_sitemap, unpacked

STDIN = "-"
MAX_SITEMAPS = 50_000
"""What one index may list; indexes of indexes count along."""

_URL = re.compile(r"https?://", re.IGNORECASE)
_SITEMAP = re.compile(r"sitemap[^/]*\.(?:xml|txt)(?:\.gz)?\Z", re.IGNORECASE)

type Fetch = Callable[[str], Awaitable[bytes]]
"""The body of a URL. Raises SluicegateError."""


class Gathering:
    """Collects into `wanting`; what cannot be read becomes a problem there."""

    def __init__(self, fetch: Fetch, *, at_most: int | None = None, any_host: bool = False) -> None:
        """No more sitemaps are read once `at_most` URLs are known.

        A sitemap speaks for its own host only, unless `any_host`: it comes from a stranger.
        """
        self.wanting = Wanting()
        self._fetch = fetch
        self._at_most = at_most
        self._any_host = any_host
        self._seen: set[str] = set()

    async def take(self, argument: str) -> None:
        """A URL, a file or `-` for standard input. A URL that ends as sitemaps do is one."""
        if _URL.match(argument):
            if _SITEMAP.search(argument.partition("?")[0]):
                await self.take_sitemap(argument)
            else:
                self.wanting.add(argument, "command line")
            return
        try:
            content = await asyncio.to_thread(_read, argument)
            await self._content(content, "standard input" if argument == STDIN else argument, host=None)
        except OSError as error:
            self.wanting.problems.append(f"{argument}: cannot be read: {error.strerror}")
        except SitemapError as error:
            self.wanting.problems.append(f"{argument}: {error}")

    async def take_sitemap(self, url: str) -> None:
        """All that the sitemap at `url` lists, and the sitemaps that it lists."""
        waiting = deque([url])
        while waiting and not self._enough():
            url = waiting.popleft()
            if url in self._seen:
                continue
            if len(self._seen) >= MAX_SITEMAPS:
                self.wanting.problems.append(f"{url}: not read: these are more than {MAX_SITEMAPS} sitemaps")
                return
            self._seen.add(url)
            try:
                host = parse_url(url)[0].host
                waiting.extend(self._parsed(unpacked(await self._fetch(url)), url, host))
            except (SluicegateError, NotAUrl) as error:
                self.wanting.problems.append(f"{url}: {error}")

    async def _content(self, content: bytes, source: str, host: str | None) -> None:
        for url in self._parsed(unpacked(content) if is_packed(content) else content, source, host):
            await self.take_sitemap(url)

    def _parsed(self, content: bytes, source: str, host: str | None) -> list[str]:
        """Take what a list or a sitemap holds; the sitemaps that it names. `host` is whose it is, None for our own."""
        if not looks_like_xml(content):
            if host is None:
                self.wanting.add_list(content, source)
            else:
                lines = content.decode("utf-8-sig", "replace").splitlines()
                self._add([line.strip() for line in lines if line.strip()], source, host)
            return []
        found = read_sitemap(content)
        self._add(found.urls, source, host)
        return [url for url in found.sitemaps if self._speaks_for(url, source, host)]

    def _add(self, urls: list[str], source: str, host: str | None) -> None:
        for url in urls:
            if self._speaks_for(url, source, host):
                self.wanting.add(url, source)

    def _speaks_for(self, url: str, source: str, host: str | None) -> bool:
        if host is None or self._any_host:
            return True
        try:
            theirs = parse_url(url)[0].host
        except NotAUrl:
            return True  # told as what it is when it is added or read
        if theirs == host:
            return True
        self.wanting.problems.append(f"{source}: {url} is on another host than its sitemap; --any-host takes it")
        return False

    def _enough(self) -> bool:
        return self._at_most is not None and len(self.wanting.urls) >= self._at_most


def _read(argument: str) -> bytes:
    return sys.stdin.buffer.read() if argument == STDIN else Path(argument).read_bytes()
