import gzip
import json

import pytest
from click.testing import CliRunner

from sluicegate.cli.cache.warm import command
from support.origin import ThreadedOrigin, answer, response


def reply(seen):
    if seen.target.startswith("/no-store"):
        return response(body=b"x", fields=[("Cache-Control", "no-store")])
    if seen.target == "/missing":
        return response(404, fields=[("Cache-Control", "no-store")])
    if seen.target == "/sitemap.xml":
        host = seen.get("host")
        parts = "".join(f"<sitemap><loc>http://{host}/{name}</loc></sitemap>" for name in ("1.xml", "2.xml.gz"))
        return response(body=f"<sitemapindex>{parts}</sitemapindex>".encode())
    if seen.target in ("/1.xml", "/2.xml.gz"):
        content = f"<urlset><url><loc>http://{seen.get('host')}{seen.target}/a</loc></url></urlset>".encode()
        return response(body=gzip.compress(content) if seen.target.endswith("gz") else content)
    return response(body=b"hello", fields=[("Cache-Control", "max-age=60"), ("ETag", '"a"')])


@pytest.fixture
def origin():
    with ThreadedOrigin(answer(reply)) as server:
        yield server


@pytest.fixture
def warm(tmp_path):
    def run(*words, code=0, text=None):
        options = ["--state-dir", str(tmp_path / "state")]
        result = CliRunner().invoke(command, [*options, *map(str, words)], input=text)
        assert result.exit_code == code, result.output
        return result

    return run


def targets(origin):
    return sorted(seen.target for seen in origin.log)


def test_a_list_is_fetched_once_and_then_is_fresh(warm, origin, tmp_path):
    file = tmp_path / "urls.txt"
    file.write_text(f"# two\n{origin.url}/a\n{origin.url}/b\n")

    assert warm(file).stdout.startswith("2 URLs: 2 stored")
    assert warm(file).stdout.startswith("2 URLs: 2 already fresh")
    assert targets(origin) == ["/a", "/b"]


def test_standard_input_is_a_list(warm, origin):
    assert json.loads(warm("-", "--json", text=f"{origin.url}/a\n").stdout)["stored"] == 1


def test_an_index_of_sitemaps_is_followed_packed_or_not(warm, origin):
    document = json.loads(warm(f"{origin.url}/sitemap.xml", "--json").stdout)

    assert (document["total"], document["stored"]) == (2, 2)
    assert targets(origin) == ["/1.xml", "/1.xml/a", "/2.xml.gz", "/2.xml.gz/a", "/sitemap.xml"]


def test_what_cannot_be_cached_is_grouped_by_reason_and_is_no_failure(warm, origin):
    result = warm(f"{origin.url}/no-store/1", f"{origin.url}/no-store/2")

    assert "Not cacheable, 2: The response says no-store" in result.stdout
    assert "RFC 9111 §5.2.2.5" in result.stdout


def test_a_failure_is_exit_code_1_and_told_with_its_place(warm, origin, tmp_path):
    file = tmp_path / "urls.txt"
    file.write_text(f"{origin.url}/a\n{origin.url}/missing\nhttp://127.0.0.1:9/\n")

    result = warm(file, code=1)

    assert f"{file}:2: {origin.url}/missing: The origin answered 404 Not Found" in result.stdout
    assert f"{file}:3: http://127.0.0.1:9/: 127.0.0.1:9 refused the connection" in result.stdout
    assert "1 stored" in result.stdout


def test_a_bad_line_is_told_with_file_and_line_and_the_others_are_fetched(warm, origin, tmp_path):
    file = tmp_path / "urls.txt"
    file.write_text(f"nonsense\n{origin.url}/a\n")

    result = warm(file, "--json", code=1)

    assert f"Warning: {file}:1: 'nonsense' is no absolute http or https URL" in result.stderr
    assert json.loads(result.stdout)["stored"] == 1


def test_a_dry_run_asks_nobody(warm, origin):
    warm(f"{origin.url}/a")
    result = warm(f"{origin.url}/a", f"{origin.url}/b", "--dry-run")

    assert result.stdout.startswith("2 URLs: 1 already fresh, 1 would be asked for")
    assert targets(origin) == ["/a"]


def test_no_more_than_max_are_fetched(warm, origin):
    warm(*(f"{origin.url}/{n}" for n in range(5)), "--max", "2")

    assert targets(origin) == ["/0", "/1"]


def test_a_refresh_revalidates_what_is_fresh(warm, origin):
    warm(f"{origin.url}/a")
    warm(f"{origin.url}/a", "--refresh")

    assert [seen.get("if-none-match") for seen in origin.log] == [None, '"a"']


def test_given_fields_select_the_variant_that_clients_will_ask_for(warm, origin):
    warm(f"{origin.url}/a", "-H", "Accept-Encoding: gzip")

    assert origin.log[0].get("accept-encoding") == "gzip"


def test_what_is_tunneled_is_not_fetched(warm):
    result = warm("https://example.org/", "--https", "tunnel", code=1)

    assert "the cache never sees requests for it" in result.stderr


@pytest.mark.parametrize("words", [[], ["http://a/", "--cache", "off"], ["http://a/", "--max", "0"]])
def test_what_makes_no_sense_is_exit_code_2(warm, words):
    warm(*words, code=2)
