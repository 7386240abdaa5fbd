import json

import pytest
from click.testing import CliRunner

from sluicegate.cli.main import group
from support.origin import ThreadedOrigin, answer, response


def reply(seen):
    if seen.target == "/no-store":
        return response(body=b"x", fields=[("Cache-Control", "no-store")])
    if seen.get("if-none-match") == '"v1"':
        return response(304, fields=[("ETag", '"v1"'), ("Cache-Control", "max-age=60")], reason="Not Modified")
    return response(
        body=b"hello", fields=[("Cache-Control", "max-age=60"), ("ETag", '"v1"'), ("Vary", "Accept-Encoding")]
    )


@pytest.fixture
def origin():
    with ThreadedOrigin(answer(reply)) as server:
        yield server


@pytest.fixture
def explain(tmp_path):
    def run(*words, code=0):
        options = ["--admin", "off", "--state-dir", str(tmp_path / "state")]
        result = CliRunner().invoke(group, ["explain", *options, *map(str, words)])
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def document(explain):
    return lambda *words, code=0: json.loads(explain("--json", *words, code=code))


def test_nothing_is_fetched_and_nothing_is_made_unless_asked(explain, origin, tmp_path):
    text = explain(f"{origin.url}/a")

    assert origin.log == []
    assert not (tmp_path / "state").exists()
    assert "Forward" in text
    assert "uri-miss, RFC 9211 §2.2" in text
    assert "10/second" in text


def test_a_user_and_password_in_the_url_are_told_to_be_left_out(explain):
    text = explain("http://ada:secret@a.example/")

    assert "The user and the password in the URL are left out" in text
    assert "secret" not in text


def test_a_fetch_stores_and_the_next_explanation_finds_it(document, origin):
    first = document("--fetch", f"{origin.url}/a")
    again = document(f"{origin.url}/a")

    done = first["fetched"]
    assert (done["status"], done["stored"], done["why"]["reason"]) == (200, True, "storable")
    assert (done["upstream_status"], done["connection"], done["body_bytes"]) == (200, "new", 5)
    assert done["after"]["decision"]["action"] == "hit"
    assert again["cache"]["decision"]["action"] == "hit"
    assert 0 < again["cache"]["decision"]["fresh_for_s"] <= 60
    assert again["cache"]["later"]["decision"]["sends"] == ['If-None-Match: "v1"']
    assert len(origin.log) == 1


def test_why_something_is_not_stored_is_said_with_its_section(explain, document, origin):
    done = document("--fetch", f"{origin.url}/no-store")["fetched"]
    text = explain("--fetch", f"{origin.url}/no-store")

    assert (done["stored"], done["why"]["section"]) == (False, "RFC 9111 §5.2.2.5")
    assert "Not stored. The response says no-store" in text


def test_a_revalidation_is_told_as_one(document, origin):
    document("--fetch", f"{origin.url}/a")
    found = document("--fetch", f"{origin.url}/a", "-H", "Cache-Control: no-cache")

    assert found["cache"]["decision"]["action"] == "revalidate"
    assert (found["fetched"]["status"], found["fetched"]["upstream_status"]) == (200, 304)
    assert found["fetched"]["cache"] == "revalidated"


def test_the_field_that_differs_is_named(explain, origin):
    explain("--fetch", f"{origin.url}/a", "-H", "Accept-Encoding: gzip")

    text = explain(f"{origin.url}/a", "-H", "Accept-Encoding: br")

    assert "Vary: accept-encoding: stored for “gzip”, this request has “br”: no match" in text


def test_the_wait_is_known_without_taking_a_permit(document, explain, origin):
    hourly = ("--rate-default", "1/hour")
    before = document(*hourly, f"{origin.url}/a")["limit"]
    document("--fetch", *hourly, f"{origin.url}/a")
    after = [document(*hourly, f"{origin.url}/b")["limit"] for _ in range(2)]
    text = explain(*hourly, f"{origin.url}/b")

    assert before["wait_s"] == 0
    assert all(3000 < limit["wait_s"] < 4000 for limit in after)
    assert after[0]["refused"]
    assert "answered 429" in text


def test_an_origin_that_cannot_be_reached_is_exit_code_1(explain, document):
    text = explain("--fetch", "http://127.0.0.1:9/", code=1)
    done = document("--fetch", "http://127.0.0.1:9/", code=1)["fetched"]

    assert "127.0.0.1:9 refused the connection" in text
    assert (done["error"], done["after"]["stored"]) == ("connection_refused", [])


def test_what_stands_in_for_an_origin_that_is_gone_is_told_from_an_answer(explain, document):
    stale = answer(response(body=b"hello", fields=[("Cache-Control", "max-age=0"), ("ETag", '"v1"')]))
    with ThreadedOrigin(stale) as gone:
        document("--fetch", f"{gone.url}/a")
    done = document("--fetch", f"{gone.url}/a", code=1)["fetched"]
    text = explain("--fetch", f"{gone.url}/a", code=1)

    assert (done["status"], done["cache"], done["why"]["reason"]) == (200, "stale", "stale-unreachable")
    assert "refused the connection" in done["upstream_error"]
    assert "stale when the origin cannot be reached, until 1 d 0 h after its time" in text


def test_a_refusal_by_the_limiter_is_exit_code_1_and_the_origin_is_not_asked(document, origin):
    hourly = ("--rate-default", "1/hour")
    document("--fetch", *hourly, f"{origin.url}/a")
    found = document("--fetch", *hourly, f"{origin.url}/b", code=1)["fetched"]

    assert (found["status"], found["upstream_status"]) == (429, None)
    assert len(origin.log) == 1


def test_a_tunnel_is_told_and_the_cache_left_out(explain, document):
    found = document("--https", "tunnel", "https://example.org/")

    assert (found["route"]["https"], found["cache"]) == ("tunnel", None)
    assert "Nothing is cached" in explain("--https", "tunnel", "https://example.org/")
    assert "Intercepted" in explain("https://example.org/")


def test_a_forbidden_destination_is_told(document, tmp_path):
    file = tmp_path / "sluicegate.yaml"
    file.write_text("access: {allow: [10.0.0.0/8]}\n")

    found = document("--config", file, "http://127.0.0.1/")

    assert "private" in found["route"]["forbidden"]
    assert found["cache"] is None


def test_a_memory_backend_is_said_to_be_unknown(explain, tmp_path):
    text = explain("--rate-backend", "memory", "http://example.org/")

    assert "How long it would wait now is not known." in text
    assert "limits.backend is memory" in text


def test_secrets_that_were_given_are_not_printed(explain):
    words = ("http://example.org/", "-H", "Authorization: Bearer hunter2hunter2", "-H", "Cookie: a=hunter2hunter2")

    assert "hunter2" not in explain(*words)
    assert "hunter2" not in explain("--json", *words)


@pytest.mark.parametrize(
    "words", [["example.org"], ["ftp://example.org/"], ["http://a/", "-H", "x"], ["http://a/", "-X", "CONNECT"], []]
)
def test_what_cannot_be_explained_is_exit_code_2(explain, words):
    explain(*words, code=2)


def test_a_bad_configuration_is_exit_code_2(explain):
    assert "cache.mode" in explain("http://a/", "--cache", "sometimes", code=2)
