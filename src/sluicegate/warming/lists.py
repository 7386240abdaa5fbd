"""Lists of URLs: one a line, `#` begins a comment."""

import re
from dataclasses import dataclass, field

from sluicegate.core.text import clip, printable
from sluicegate.core.urls import parse_url
from sluicegate.errors import NotAUrl

_LONGEST_SHOWN = 100
_COMMENT = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A URL to fetch, and where it stands."""

    url: str
    place: str


@dataclass(slots=True)
class Wanting:
    """What is to be fetched, each URL once, and what is wrong with the lists."""

    urls: list[Wanted] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Each with its place."""
    _known: set[str] = field(default_factory=set)

    def add(self, url: str, place: str) -> None:
        """Take a URL, unless it is there already; what is none becomes a problem."""
        try:
            origin, target = parse_url(url)
        except NotAUrl:
            shown = printable(clip(url, _LONGEST_SHOWN))
            self.problems.append(f"{place}: '{shown}' is no absolute http or https URL")
            return
        normal = origin.text + target
        if normal not in self._known:
            self._known.add(normal)
            self.urls.append(Wanted(normal, place))

    def add_list(self, content: bytes, source: str) -> None:
        """Take the URLs of a list. A `#` begins a comment at the beginning of a line or after a space."""
        for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
            text = _COMMENT.sub("", line).strip()
            if text:
                self.add(text, f"{source}:{number}")
