import pytest

from support.stored import FRESH, STALE, Kept, fill

A = Kept("http://a.example/x?q=1", headers=FRESH + "\nCache-Tag: news", age_s=60)
B = Kept("https://b.example/y", headers=STALE, status=404, age_s=7200)
C = Kept("http://c.example/z", headers="Cache-Control: max-age=600, no-cache\nETag: 1")


@pytest.fixture
def filled(cache):
    fill(cache.state_dir, A, B, C)
    return cache


def test_each_response_has_a_line(filled):
    result = filled("ls")

    assert result.exit_code == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["AGE", "FRESH", "FOR", "SIZE", "TYPE", "URL"]
    by_url = {line.split()[-1]: " ".join(line.split()) for line in lines}
    assert set(by_url) == {A.url, B.url, C.url}
    assert by_url[A.url].startswith("1 min")
    assert " 9 min 0 s " in by_url[A.url] or " 8 min 59 s " in by_url[A.url] or " 8 min 58 s " in by_url[A.url]
    assert " 200 text/plain " in by_url[A.url]
    assert " stale 1 h 59 min " in by_url[B.url] or " stale 2 h 0 min " in by_url[B.url]
    assert " 404 text/html " in by_url[B.url]
    assert " asks each time " in by_url[C.url]
    assert " - " in by_url[C.url]


def test_colors_are_for_terminals(filled):
    assert "\x1b[" not in filled("ls").output
    assert "\x1b[32m" in filled("ls", color=True).output


def test_json_is_an_object_a_line(filled):
    [document] = [filled.json("ls", A.url)]

    assert (document["url"], document["status"], document["type"]) == (A.url, 200, "text/plain")
    assert (document["use"], document["body_bytes"], document["tags"]) == ("fresh", 4, ["news"])
    assert 60 <= document["age_s"] < 120
    assert document["digest"].startswith("xxh3-128:")


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ((), {A, B, C}),
        ((A.url, B.url), {A, B}),
        (("http://A.example:80/x?q=1",), {A}),
        (("--prefix", "http://a.example"), {A}),
        (("--host", "*.example"), {A, B, C}),
        (("--host", "b.example"), {B}),
        (("--tag", "news"), {A}),
        (("--older-than", "1h"), {B}),
        (("--newer-than", "1h"), {A, C}),
        (("--newer-than", "1h", "--tag", "news"), {A}),
        ((B.url, "--newer-than", "1h"), set()),
    ],
)
def test_only_what_is_meant_is_listed(filled, arguments, meant):
    assert filled.urls(*arguments) == {kept.url for kept in meant}


def test_a_limit_ends_the_list(filled):
    assert len(filled.urls("--limit", "2")) == 2


def test_a_url_means_the_key_that_a_rule_gives_it(cache):
    fill(cache.state_dir, Kept("http://a.example/x?id=7"))
    cache.configure({"cache": {"rules": [{"hosts": ["a.example"], "ignore_query": ["utm_*"]}]}})

    assert cache.urls("http://a.example/x?id=7&utm_source=mail") == {"http://a.example/x?id=7"}


def test_where_nothing_was_stored_nothing_is_listed_and_nothing_made(cache):
    assert cache.urls() == set()
    assert cache("ls").exit_code == 0
    assert not cache.state_dir.exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("ftp://a.example/",), "no absolute http or https URL"),
        (("--prefix", "a.example"), "no absolute http or https URL"),
        (("--older-than", "long"), "--older-than"),
        (("--host", "a b"), "--host"),
    ],
)
def test_what_cannot_be_meant_is_refused(filled, arguments, told):
    result = filled("ls", *arguments)

    assert result.exit_code == 2
    assert told in result.output


def test_text_from_outside_cannot_speak_to_the_terminal(cache):
    fill(cache.state_dir, Kept("http://a.example/\x1b[31mred", headers="Content-Type: a\x1b[0m/b"))

    assert "\x1b" not in cache("ls").output
