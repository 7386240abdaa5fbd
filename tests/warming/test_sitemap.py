import gzip
import io

import pytest

from sluicegate.warming import sitemap
from sluicegate.warming.sitemap import SitemapError, is_packed, looks_like_xml, read_sitemap, unpacked

NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
IMAGES = 'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'


def urlset(inside, attributes=NS):
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {attributes}>{inside}</urlset>'.encode()


def test_the_urls_of_a_sitemap_are_read_and_those_of_its_pictures_are_not():
    content = urlset(
        "<url><loc> http://a.example/?a=1&amp;b=2 </loc><lastmod>2026</lastmod>"
        "<image:image><image:loc>http://a.example/x.png</image:loc></image:image></url>"
        "<url><loc><![CDATA[http://a.example/ü]]></loc></url>",
        f"{NS} {IMAGES}",
    )

    assert read_sitemap(content).urls == ["http://a.example/?a=1&b=2", "http://a.example/ü"]


def test_an_index_lists_sitemaps():
    content = f"<sitemapindex {NS}><sitemap><loc>http://a.example/1.xml</loc></sitemap></sitemapindex>".encode()

    found = read_sitemap(content)

    assert (found.urls, found.sitemaps) == ([], ["http://a.example/1.xml"])


def test_a_sitemap_without_a_namespace_is_one_too():
    assert read_sitemap(urlset("<url><loc>http://a.example/</loc></url>", "")).urls == ["http://a.example/"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_does_no_harm(encoding):
    text = "<urlset><url><loc>http://a.example/</loc></url></urlset>".encode(encoding)

    assert looks_like_xml(text)
    assert read_sitemap(text).urls == ["http://a.example/"]


@pytest.mark.parametrize(
    "declared",
    [
        '<!DOCTYPE urlset [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE urlset [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE urlset SYSTEM "http://attacker.example/x.dtd">',
    ],
)
def test_entities_and_document_types_are_refused(declared):
    content = f"<?xml version='1.0'?>{declared}<urlset><url><loc>&x;</loc></url></urlset>".encode()

    with pytest.raises(SitemapError, match="document type"):
        read_sitemap(content)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<html><body/></html>", "no sitemap"),
        (b"<urlset><url>", "well-formed"),
        (b"<urlset><url><loc>" + b"a" * 10_000 + b"</loc></url></urlset>", "letters"),
        (b"", "well-formed"),
    ],
)
def test_what_is_no_sitemap_is_refused(content, told):
    with pytest.raises(SitemapError, match=told):
        read_sitemap(content)


def test_a_sitemap_lists_no_more_than_the_protocol_allows(monkeypatch):
    monkeypatch.setattr(sitemap, "MAX_URLS", 2)
    with pytest.raises(SitemapError, match="more than 2"):
        read_sitemap(urlset("<url><loc>http://a.example/</loc></url>" * 3))


def test_gzip_is_unpacked_and_anything_else_left_as_it_is():
    assert is_packed(gzip.compress(b"x"))
    assert unpacked(gzip.compress(b"<urlset/>")) == b"<urlset/>"
    assert unpacked(b"<urlset/>") == b"<urlset/>"


def test_a_bomb_is_not_unpacked_beyond_the_bound():
    bomb = io.BytesIO()
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        for _ in range(60):
            file.write(bytes(2**20))
    assert len(bomb.getvalue()) < 100_000

    with pytest.raises(SitemapError, match="more than"):
        unpacked(bomb.getvalue())


@pytest.mark.parametrize("damage", [lambda whole: whole[:-4], lambda whole: whole[:12] + b"\xff" * 9 + whole[21:]])
def test_a_damaged_gzip_file_is_refused(damage):
    with pytest.raises(SitemapError, match="gzip"):
        unpacked(damage(gzip.compress(b"<urlset>" + bytes(range(256)) * 4)))
