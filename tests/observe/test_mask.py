import pytest

from sluicegate.observe.mask import mask_text, mask_url, mask_value, secret_name, secret_query_key

SECRET = "hunter2-S3cr3t"

SECRET_QUERY_KEYS = [
    "token", "access_token", "refresh_token", "id_token", "accessToken", "key", "api_key", "apikey", "apiKey", "API-KEY",
    "x-api-key", "AWSAccessKeyId", "auth", "oauth_token", "password", "passwd", "pwd", "user_pwd", "pass", "secret",
    "client_secret", "sig", "signature", "Signature", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token",
    "X-Goog-Signature", "code", "authCode", "session", "session_id", "sessionid", "PHPSESSID", "JSESSIONID", "sid", "jwt",
    "otp", "ticket", "user[password]", "%74oken", "pass%77ord",
]  # fmt: skip

HARMLESS_QUERY_KEYS = [
    "q",
    "page",
    "keyword",
    "monkey",
    "design",
    "passenger",
    "author",
    "id",
    "v",
    "encoding",
    "limit",
]


@pytest.mark.parametrize("key", SECRET_QUERY_KEYS)
@pytest.mark.parametrize("shape", ["?{}={}", "?a=1&{}={}", "?a=1&{}={}&b=2", "?a=1;{}={}", "#{}={}", "/path;{}={}"])
def test_the_value_of_a_secret_query_key_is_masked_wherever_it_stands(key, shape):
    url = "https://example.com/" + shape.format(key, SECRET)

    masked = mask_url(url)

    assert SECRET not in masked
    assert masked == url.replace(SECRET, "***")


@pytest.mark.parametrize("key", HARMLESS_QUERY_KEYS)
def test_other_query_keys_keep_their_values(key):
    assert mask_url(f"https://example.com/?{key}=value") == f"https://example.com/?{key}=value"


def test_a_secret_is_masked_to_its_end_even_with_separators_and_equals_signs_in_it():
    assert mask_url("http://h/?token=abc;def==&b=2") == "http://h/?token=***&b=2"


@pytest.mark.parametrize("length", [10, 500, 600, 8000])
def test_a_url_is_masked_however_long_it_is_and_however_often_it_comes(length):
    url = f"https://u:{SECRET}@example.com/{'x' * length}?page=2&token={SECRET}"

    for _ in range(2):
        assert mask_url(url) == url.replace(f"u:{SECRET}", "***").replace(SECRET, "***")


def test_a_secret_in_a_percent_encoded_url_within_the_url_is_masked():
    masked = mask_url("https://h/login?next=https%3A%2F%2Fo%2F%3Ftoken%3Dabc%26page%3D2&lang=en")

    assert masked == "https://h/login?next=https%3A%2F%2Fo%2F%3Ftoken%3D***%26page%3D2&lang=en"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (f"https://user:{SECRET}@example.com/x", "https://***@example.com/x"),
        (f"https://{SECRET}@example.com", "https://***@example.com"),
        (f"http://user:p@{SECRET}@example.com/@scope/x", "http://***@example.com/@scope/x"),
        (f"redis://:{SECRET}@127.0.0.1:6379/0", "redis://***@127.0.0.1:6379/0"),
        (f"rediss://default:a/b#{SECRET}@r.example:6380/1", "rediss://***@r.example:6380/1"),
        ("https://registry.example/@babel/core", "https://registry.example/@babel/core"),
        ("https://example.com/?mail=a@b.example", "https://example.com/?mail=a@b.example"),
    ],
)
def test_userinfo_is_masked_and_an_at_sign_elsewhere_is_none(url, masked):
    assert mask_url(url) == masked
    assert mask_text(f"cannot reach {url} now") == f"cannot reach {masked} now"


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Basic {SECRET}",
        f"proxy-authorization: Bearer {SECRET}",
        f"Cookie: a=b; session={SECRET}; c={SECRET}",
        f"Set-Cookie: id={SECRET}; Path=/",
        f"bad fields [(b'Host', b'h'), (b'Cookie', b'a={SECRET}')]",
        f"{{'Authorization': 'Digest username=\"x\", response=\"{SECRET}\"'}}",
        f"sent Bearer {SECRET} to the origin",
        f"password={SECRET}",
        f'{{"client_secret": "{SECRET}"}}',
        f"api_key: {SECRET}",
        f"GET http://u:{SECRET}@h/?token={SECRET} failed",
    ],
)
def test_a_message_is_written_without_the_secrets_in_it(text):
    assert SECRET not in mask_text(text)
    assert "***" in mask_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "limits.hosts.example.com.rates: unknown key: rtes (found 10/fortnight); allowed: rates",
        "Basic authentication is needed",
        "Authorization is missing",
        "127.0.0.1:3128: address already in use",
        "TLS: certificate expired (notAfter=2026-01-01T00:00:00Z)",
    ],
)
def test_a_message_without_secrets_is_left_alone(text):
    assert mask_text(text) == text


def test_fields_are_masked_by_name_and_by_content_however_deep():
    value = {
        "redis_url": f"redis://:{SECRET}@h/0",
        "password": SECRET,
        "headers": [(b"Authorization", SECRET.encode()), ("Cookie", SECRET), (b"Accept", b"*/*")],
        "nested": {"list": [{"api_key": SECRET, "key": "limits.default"}], "set": {f"http://h/?sig={SECRET}"}},
        "object": ValueError(f"token={SECRET}"),
        "has_password": True,
        "limit_key": "example.com",
    }

    masked = mask_value("fields", value)

    assert SECRET not in str(masked)
    assert masked["headers"] == [["Authorization", "***"], ["Cookie", "***"], ["Accept", "*/*"]]
    assert masked["nested"]["list"] == [{"api_key": "***", "key": "limits.default"}]
    assert masked["has_password"] is True
    assert masked["limit_key"] == "example.com"


def test_values_that_json_cannot_hold_become_text():
    assert mask_value("", [float("nan"), float("inf"), b"\xff", "\ud800", None, 1.5]) == [
        "nan", "inf", "\ufffd", "\ufffd", None, 1.5,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    [
        "?",
        "a",
        "a=;",
        "redis://",
        "bearer ",
        "://",
        "%3F",
        ";b=1",
        "authorization",
        "a ",
        "a:",
        "?a=1&",
        "?token=",
        "@",
    ],
)
def test_masking_takes_time_linear_in_what_a_client_sends(piece):
    """Were one pattern quadratic, this test would take minutes and not moments."""
    assert mask_text(piece * 200_000)


def test_names_are_told_apart():
    assert secret_query_key("key")
    assert not secret_name("key")
    assert not secret_name("limit_key")
    assert secret_name("Proxy-Authorization")
