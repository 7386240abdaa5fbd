import gzip

import pytest

from sluicegate.warming.gathering import Gathering
from sluicegate.warming.sitemap import SitemapError

A = "http://a.example"


def urlset(*urls):
    return ("<urlset>" + "".join(f"<url><loc>{url}</loc></url>" for url in urls) + "</urlset>").encode()


def index(*urls):
    return (
        "<sitemapindex>" + "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls) + "</sitemapindex>"
    ).encode()


class Web:
    """What can be fetched, and what was."""

    def __init__(self, **pages):
        self.pages = {f"{A}/{name}": content for name, content in pages.items()}
        self.fetched = []

    async def fetch(self, url):
        self.fetched.append(url)
        if url not in self.pages:
            raise SitemapError("The origin answered 404.")
        return self.pages[url]


def urls(gathering):
    return [one.url for one in gathering.wanting.urls]


async def test_urls_and_lists_are_taken_and_nothing_is_fetched(tmp_path):
    file = tmp_path / "urls.txt"
    file.write_text(f"{A}/1\n{A}/2\n")
    web = Web()
    gathering = Gathering(web.fetch)
    for argument in (f"{A}/0", str(file)):
        await gathering.take(argument)

    assert urls(gathering) == [f"{A}/0", f"{A}/1", f"{A}/2"]
    assert web.fetched == []


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_is_known_by_what_it_holds(tmp_path, packed):
    file = tmp_path / "urls.txt"
    file.write_bytes(gzip.compress(urlset(f"{A}/1")) if packed else urlset(f"{A}/1"))
    gathering = Gathering(Web().fetch)
    await gathering.take(str(file))

    assert urls(gathering) == [f"{A}/1"]


async def test_an_index_leads_to_its_sitemaps_packed_or_not():
    web = Web(
        **{
            "sitemap.xml": index(f"{A}/1.xml", f"{A}/2.xml.gz", f"{A}/1.xml"),
            "1.xml": urlset(f"{A}/a"),
            "2.xml.gz": gzip.compress(urlset(f"{A}/b")),
        }
    )
    gathering = Gathering(web.fetch)
    await gathering.take(f"{A}/sitemap.xml")

    assert urls(gathering) == [f"{A}/a", f"{A}/b"]
    assert len(web.fetched) == 3


async def test_indexes_that_lead_in_a_circle_are_read_once_each():
    web = Web(**{"1": index(f"{A}/2"), "2": index(f"{A}/1")})
    gathering = Gathering(web.fetch)
    await gathering.take_sitemap(f"{A}/1")

    assert web.fetched == [f"{A}/1", f"{A}/2"]


async def test_a_sitemap_speaks_for_its_own_host_unless_it_is_trusted():
    web = Web(s=urlset(f"{A}/a", "http://10.0.0.1/admin"), i=index("http://10.0.0.1/sitemap.xml"))
    gathering, trusting = Gathering(web.fetch), Gathering(web.fetch, any_host=True)
    for one in (gathering, trusting):
        await one.take_sitemap(f"{A}/s")
    await gathering.take_sitemap(f"{A}/i")

    assert urls(gathering) == [f"{A}/a"]
    assert all("--any-host" in problem for problem in gathering.wanting.problems)
    assert len(gathering.wanting.problems) == 2
    assert urls(trusting) == [f"{A}/a", "http://10.0.0.1/admin"]


async def test_no_more_sitemaps_are_read_than_are_needed():
    web = Web(**{"i": index(f"{A}/1", f"{A}/2"), "1": urlset(f"{A}/a", f"{A}/b"), "2": urlset(f"{A}/c")})
    gathering = Gathering(web.fetch, at_most=2)
    await gathering.take_sitemap(f"{A}/i")

    assert web.fetched == [f"{A}/i", f"{A}/1"]


async def test_what_cannot_be_read_is_told_and_the_rest_is_taken(tmp_path):
    web = Web(**{"i": index(f"{A}/missing", f"{A}/html", f"{A}/1"), "html": b"<html/>", "1": urlset(f"{A}/a")})
    gathering = Gathering(web.fetch)
    await gathering.take(str(tmp_path / "missing.txt"))
    await gathering.take_sitemap(f"{A}/i")

    assert urls(gathering) == [f"{A}/a"]
    assert [problem.split(": ")[0] for problem in gathering.wanting.problems] == [
        str(tmp_path / "missing.txt"),
        f"{A}/missing",
        f"{A}/html",
    ]


async def test_a_sitemap_may_be_a_plain_list():
    web = Web(**{"sitemap.txt": f"{A}/a\n{A}/b\n".encode()})
    gathering = Gathering(web.fetch)
    await gathering.take(f"{A}/sitemap.txt")

    assert urls(gathering) == [f"{A}/a", f"{A}/b"]
