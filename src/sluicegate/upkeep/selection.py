"""Which stored responses are meant: by URL, prefix, host, tag and age."""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from functools import lru_cache

from sluicegate.core.caching.keys import cache_key
from sluicegate.core.caching.listing import Listed
from sluicegate.core.http import RequestHead, ResponseHead
from sluicegate.core.ports import CacheStore
from sluicegate.core.urls import parse_url

_TAG = re.compile(rb"[^\s,]+")
_TAG_FIELDS = (b"cache-tag", b"surrogate-key")
_WILDCARD = "*."


@dataclass(frozen=True, slots=True)
class Selection:
    """All conditions that are given must hold; none given means everything."""

    url: str | None = None
    """An absolute http or https URL, compared as the cache compares them."""
    prefix: str | None = None
    """How URLs begin. It names a whole host: without a path it means all of that origin's."""
    host: str | None = None
    """A host name or address; `*.example.org` means every subdomain of example.org and not example.org itself."""
    tag: str | None = None
    """One of those that Cache-Tag or Surrogate-Key gave the response."""
    older_than_s: float | None = None
    """Stored or validated longer ago than this (seconds)."""
    newer_than_s: float | None = None
    """Stored or validated not longer ago than this (seconds)."""

    @property
    def is_everything(self) -> bool:
        """Whether no condition is given."""
        return self == _EVERYTHING

    def of_url(self, url: str) -> "Selection":
        """The same conditions for one URL."""
        return replace(self, url=url)

    def key_prefix(self) -> str:
        """What the cache keys of all that is meant begin with. Raises NotAUrl."""
        if self.url is not None:
            return key_of(self.url)
        return "" if self.prefix is None else key_of(self.prefix)

    def matches(self, listed: Listed, now: float) -> bool:
        """Whether a stored response is meant; `now` is Unix time in seconds. Raises NotAUrl."""
        if self.url is not None and listed.key != key_of(self.url):
            return False
        if self.prefix is not None and not listed.key.startswith(key_of(self.prefix)):
            return False
        age_s = now - listed.entry.response_time
        if self.older_than_s is not None and age_s <= self.older_than_s:
            return False
        if self.newer_than_s is not None and age_s > self.newer_than_s:
            return False
        if self.host is not None and not _is_host(self.host, listed.entry.request.origin.host):
            return False
        return self.tag is None or self.tag.encode("utf-8", "surrogateescape") in tags_of(listed.entry.response)


_EVERYTHING = Selection()


async def select(store: CacheStore, selection: Selection, now: float) -> AsyncGenerator[Listed]:
    """The stored responses that are meant, a page at a time. Raises NotAUrl, CacheStoreError."""
    async for listed in store.listed(selection.key_prefix(), exact=selection.url is not None):
        if selection.matches(listed, now):
            yield listed


def tags_of(response: ResponseHead) -> frozenset[bytes]:
    """The tags of a response: Cache-Tag has commas between them, Surrogate-Key spaces."""
    values = [value for name in _TAG_FIELDS for value in response.get_all(name)]
    return frozenset(tag for value in values for tag in _TAG.findall(value))


@lru_cache(maxsize=64)
def key_of(url: str) -> str:
    """The cache key of a URL, or what the keys begin with that have it as their prefix. Raises NotAUrl."""
    return cache_key(RequestHead("GET", *parse_url(url)))


def _is_host(pattern: str, host: str) -> bool:
    wanted = pattern.lower().rstrip(".").strip("[]")
    return host.endswith(wanted[1:]) if wanted.startswith(_WILDCARD) else host == wanted
