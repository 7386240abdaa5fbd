"""The JVM, which reads neither proxy nor CA variables, only system properties."""

import contextlib
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.utils import CryptographyDeprecationWarning

from sluicegate.clients.trust import certificates_in, merged_bundle
from sluicegate.files import write_atomically
from sluicegate.proxy.authority import Authority

TRUST_STORE_PASSWORD = "changeit"  # noqa: S105 - Java's own default; the store holds no secret
"""A PKCS#12 store opened without its password reads as empty."""

_VARIABLE = "JAVA_TOOL_OPTIONS"


def java_variables(
    proxy_url: str, authority: Authority, base: Mapping[str, str], no_proxy: Sequence[str]
) -> dict[str, str]:
    """`JAVA_TOOL_OPTIONS` with proxy and trust store appended to what is there, for every JVM that starts.

    Each JVM then prints one line about it on stderr, which is why this is not done unasked. Raises OSError.
    """
    proxy = urlsplit(proxy_url)
    properties = {
        "http.proxyHost": proxy.hostname,
        "http.proxyPort": proxy.port,
        "https.proxyHost": proxy.hostname,
        "https.proxyPort": proxy.port,
        "http.nonProxyHosts": "|".join(_patterns(no_proxy)),
        "javax.net.ssl.trustStore": trust_store(authority),
        "javax.net.ssl.trustStoreType": "PKCS12",
        "javax.net.ssl.trustStorePassword": TRUST_STORE_PASSWORD,
    }
    options = [_quoted(f"-D{name}={value}") for name, value in properties.items()]
    inherited = [base[_VARIABLE]] if base.get(_VARIABLE) else []
    return {_VARIABLE: " ".join([*inherited, *options])}


def trust_store(authority: Authority) -> Path:
    """A PKCS#12 trust store with the default roots and our CA; written anew only when one of them changed."""
    bundle = merged_bundle(authority)
    store = authority.confdir / "truststore.p12"
    made_from = authority.confdir / "truststore.pem"
    # PKCS#12 is salted, so two stores of the same certificates differ: the bundle beside it says what is inside.
    if not store.exists() or not made_from.exists() or made_from.read_bytes() != bundle.read_bytes():
        certificates = [
            pkcs12.PKCS12Certificate(certificate, str(index).encode())
            for index, certificate in enumerate(_parsed(certificates_in(bundle)))
        ]
        encryption = serialization.BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
        write_atomically(store, pkcs12.serialize_java_truststore(certificates, encryption), mode=0o644)
        write_atomically(made_from, bundle.read_bytes(), mode=0o644)
    return store


def _parsed(certificates: Iterable[bytes]) -> list[x509.Certificate]:
    """The certificates as objects. Some old roots break RFC 5280 (serial number 0); the unreadable are left out."""
    parsed = []
    with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
        for der in certificates:
            with contextlib.suppress(ValueError):
                parsed.append(x509.load_der_x509_certificate(der))
    return parsed


def _patterns(no_proxy: Sequence[str]) -> list[str]:
    """NO_PROXY entries as Java writes them; networks (`10.0.0.0/8`) have no form there."""
    return [f"*{entry}" if entry.startswith(".") else _bracketed(entry) for entry in no_proxy if "/" not in entry]


def _bracketed(entry: str) -> str:
    return f"[{entry}]" if entry.count(":") > 1 and not entry.startswith("[") else entry


def _quoted(option: str) -> str:
    """The JVM splits the variable at white space and takes quotes away."""
    return f'"{option}"' if any(character.isspace() for character in option) else option
