"""Secrets pass through, and are written nowhere."""

import base64
import socket
import subprocess

import pytest

from support.origin import SeenRequest, ThreadedOrigin, answer, response
from support.parent_proxy import relay
from support.proxy import COMMAND, clean_environ, running_proxy

PARENT = "parent-pa55word"
SECRETS = {
    "userinfo": "uri-pa55word",
    "token": "query-t0ken",
    "api_key": "query-k3y",
    "authorization": "auth-s3cret",
    "cookie": "cookie-s3cret",
    "set-cookie": "fresh-cookie-s3cret",
    "proxy-authorization": "proxy-s3cret",
    "parent": PARENT,
}


def forms():
    """Each secret as it stands, and as Basic carries it."""
    for secret in SECRETS.values():
        yield secret
        for user in ("user", "parent", ""):
            yield base64.b64encode(f"{user}:{secret}".encode()).decode().rstrip("=")


def request(authority, path="/"):
    """A request with a secret wherever one can be."""
    basic = base64.b64encode(f"user:{SECRETS['proxy-authorization']}".encode()).decode()
    query = f"token={SECRETS['token']}&api_key={SECRETS['api_key']}&page=2"
    return "\r\n".join(
        [
            f"GET http://user:{SECRETS['userinfo']}@{authority}{path}?{query} HTTP/1.1",
            f"Host: {authority}",
            f"Authorization: Bearer {SECRETS['authorization']}",
            f"Cookie: session={SECRETS['cookie']}",
            f"Proxy-Authorization: Basic {basic}",
            "Connection: close",
            "",
            "",
        ]
    ).encode()


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What a proxy has written and said of itself after requests that went well and requests that did not."""

    def reply(seen: SeenRequest) -> bytes:
        return response(body=b"ok", fields=[("Set-Cookie", f"session={SECRETS['set-cookie']}")])

    directory = tmp_path_factory.mktemp("secrets")
    limits = {"hosts": {"127.0.0.1": {"rates": ["2/30second"], "max_wait": "1s"}, "127.0.0.2": {"rates": "unlimited"}}}
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"127.0.0.2:{closed.getsockname()[1]}"
    with (
        ThreadedOrigin(answer(reply)) as origin,
        ThreadedOrigin(relay) as parent,
        running_proxy(
            directory, limits=limits, upstream_proxy=f"http://parent:{PARENT}@127.0.0.1:{parent.port}"
        ) as proxy,
    ):
        authority = f"127.0.0.1:{origin.port}"
        answers = [proxy.exchange(request(authority, f"/{number}")) for number in range(3)]
        answers.append(proxy.exchange(request(nobody)))
        answers.append(proxy.exchange(request(authority).replace(b"Host: ", b"Host : ")))
        answers.append(proxy.exchange(request(authority).replace(b"http://", b"ftp://")))
        answers.append(proxy.exchange(request(authority, "/" + "x" * 70_000)))
        connect = f"CONNECT user:{SECRETS['userinfo']}@{authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"
        answers.append(proxy.exchange(connect.encode()))
        pages = [proxy.ask_admin(page).body for page in ("/metrics", "/api/status", "/healthz", "/")]
        proxy.stop()
        yield {
            "answers": answers,
            "pages": pages,
            "log": proxy.log_file.read_bytes(),
            "stderr": (directory / "stderr.txt").read_bytes(),
            "origin": origin.log,
            "parent": parent.log,
        }


def test_the_requests_went_where_they_should(told):
    """Else nothing could leak, and the other tests would say nothing."""
    assert [int(answered.split(b" ")[1]) for answered in told["answers"][:7]] == [200, 200, 429, 502, 400, 400, 431]
    assert told["origin"][0].get("authorization") == f"Bearer {SECRETS['authorization']}"
    assert told["origin"][0].get("cookie") == f"session={SECRETS['cookie']}"
    assert SECRETS["set-cookie"].encode() in told["answers"][0]
    assert told["log"].count(b'"event":"access"') >= 6
    assert b"page=2" in told["log"], "what is no secret is written"


def test_credentials_go_only_to_whom_they_are_for(told):
    ours = "Basic " + base64.b64encode(f"parent:{PARENT}".encode()).decode()
    assert told["parent"][0].get("proxy-authorization") == ours
    assert told["parent"][0].count("proxy-authorization") == 1
    assert told["origin"][0].get("proxy-authorization") is None


@pytest.mark.parametrize("secret", sorted(set(forms())))
def test_no_secret_is_in_log_standard_error_metrics_status_or_errors(told, secret):
    errors = [answered for answered in told["answers"] if not answered.startswith(b"HTTP/1.1 200 ")]
    for text in (told["log"], told["stderr"], *told["pages"], *errors):
        assert secret.encode() not in text


def test_a_bad_parent_proxy_is_told_without_its_password(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(f"upstream_proxy: ftp://parent:{PARENT}@127.0.0.1:1/\nlimits: {{redis_url: 7}}\n")
    ended = subprocess.run(
        [*COMMAND, "serve", "--config", str(file)],
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 2
    assert "upstream_proxy" in ended.stderr
    assert PARENT not in ended.stdout + ended.stderr
