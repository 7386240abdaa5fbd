"""Secrets are never written: what a URL, a message or a field may hold of them is replaced by `***`.

Where a name is doubtful it counts as secret: a masked `?key=de` costs a look at the origin's log, a written API key costs
the key. Only free text and field names are judged more narrowly, because `key: rates` is what a message must say.
"""

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import unquote_plus

from sluicegate.core.text import clean, clip

MASK = "***"

_SECRET_PARTS = (
    "token",
    "secret",
    "passw",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "signature",
    "credential",
    "sessid",
    "sessionid",
    "authorization",
    "bearer",
    "cookie",
)
"""A name that contains one of these, its punctuation left out, is secret wherever it stands."""

_SECRET_WORDS = frozenset(
    {
        "auth",
        "code",
        "jwt",
        "key",
        "oauth",
        "otp",
        "pass",
        "pin",
        "pwd",
        "saml",
        "session",
        "sid",
        "sig",
        "sign",
        "ticket",
    }
)
"""A query key of which one word is among these is secret: `auth`, `api-key`, `user_pwd`, `authCode`."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_PUNCTUATION = re.compile(r"[\W_]+")

# Each pattern takes time linear in the text: what it is run on is the clients' to choose.
_USERINFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")
_REDIS_USERINFO = re.compile(r"\b(rediss?://)\S{1,512}@", re.IGNORECASE)
_QUERY_KEY = re.compile(r"[?&;#]([^=?&;#\s\"'<>]++)=")
_QUERY_PAIR = re.compile(r"(?<=[?&;#])([^=?&;#\s\"'<>]++)=([^&#\s\"'<>]++)")
_PARAMETER = re.compile(r"(?<=;)([^=;]++)=")
_NESTED_PAIR = re.compile(r"(?<=%3F|%26|%23)([\w.~-]++)%3D(?:(?!%26|%23)[^&;#\s\"'<>])++", re.IGNORECASE)
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:set-)?cookie2?)\b(['\"]?\s*[:=]\s*|['\"],\s*)[^\r\n]++", re.IGNORECASE
)
_SCHEME = re.compile(r"\b((?i:bearer|basic|digest|negotiate))\s+(?=\S+[A-Z0-9=])[\w.~+/=-]{6,}+")
_PAIR = re.compile(r"(?<![\w.%-])([\w.%-]++)(['\"]?\s*[=:]\s*b?['\"]?)([^\s\"'&;,]++)")


_LONGEST_KNOWN_URL = 512
"""Characters; what is remembered of URLs stays within two megabytes."""


@lru_cache(maxsize=4096)
def secret_query_key(key: str) -> bool:
    """Whether the value under this key of a query (percent-encoded or not) is taken for a secret."""
    name = unquote_plus(key)
    return secret_name(name) or any(word.lower() in _SECRET_WORDS for word in _WORDS.findall(name))


@lru_cache(maxsize=4096)
def secret_name(name: str) -> bool:
    """Whether a field of this name, or a value written `name=…` in a message, is a secret for certain."""
    bare = _PUNCTUATION.sub("", name).lower()
    return bare == "pwd" or any(part in bare for part in _SECRET_PARTS)


def mask_url(url: str) -> str:
    """The URL without userinfo and without the values of secret query keys."""
    if "=" in url or "@" in url or "%3" in url:
        return _mask_known_url(url) if len(url) <= _LONGEST_KNOWN_URL else _mask_doubtful_url(url)
    return url


def _mask_doubtful_url(url: str) -> str:
    if "@" in url:
        url = _REDIS_USERINFO.sub(rf"\1{MASK}@", _USERINFO.sub(f"{MASK}@", url))
    if "=" in url and any(map(secret_query_key, _QUERY_KEY.findall(url))):
        url = _QUERY_PAIR.sub(_mask_query_pair, url)
    if "%3" in url:
        url = _NESTED_PAIR.sub(lambda match: f"{match[1]}%3D{MASK}" if secret_query_key(match[1]) else match[0], url)
    return url


_mask_known_url = lru_cache(maxsize=2048)(_mask_doubtful_url)
"""The same for URLs that come again and again: a look at each key takes ten times as long as finding the URL here."""


def mask_text(text: str) -> str:
    """A message without the secrets of the URLs, header fields and `name=value` pairs in it."""
    text = mask_url(text)
    text = _HEADER.sub(rf"\1\2{MASK}", text)
    text = _SCHEME.sub(rf"\1 {MASK}", text)
    return _PAIR.sub(lambda match: f"{match[1]}{match[2]}{MASK}" if secret_name(match[1]) else match[0], text)


def mask_value(name: str, value: object) -> object:
    """The value of a log field as JSON can hold it, without secrets, however deep they lie."""
    if secret_name(name) and not isinstance(value, bool | None):
        return MASK
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case str():
            return mask_text(clip(clean(value)))
        case bytes():
            return mask_text(clip(value.decode("utf-8", "replace")))
        case Mapping():
            return {str(key): mask_value(str(key), item) for key, item in value.items()}
        case [str() as key, item]:
            return [mask_text(key), mask_value(key, item)]
        case [bytes() as key, item]:
            return mask_value(name, [key.decode("latin-1"), item])
        case list() | tuple() | set() | frozenset():
            return [mask_value("", item) for item in value]
        case _:
            return mask_text(clip(clean(str(value))))


def _mask_query_pair(match: re.Match[str]) -> str:
    key, value = match.groups()
    if secret_query_key(key):
        return f"{key}={MASK}"
    for parameter in _PARAMETER.finditer(value):
        if secret_query_key(parameter[1]):
            return f"{key}={value[: parameter.end()]}{MASK}"
    return match[0]
