"""Files of trusted certificates: the roots that were in force, and ours.

Most variables that name a CA file *replace* the client's trust store; our CA alone would break every host that is
tunnelled or goes round the proxy. So each variable gets the file it already named (else the system's bundle, else
certifi's) with our CA added.
"""

import binascii
import hashlib
import os
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import certifi

from sluicegate.files import write_atomically
from sluicegate.proxy.authority import Authority

BUNDLE_VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "AWS_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "CARGO_HTTP_CAINFO",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "HTTPLIB2_CA_CERTS",
    "NIX_SSL_CERT_FILE",
    "DENO_CERT",
)
"""Each names a file of trusted certificates for one client or family."""

NODE_VARIABLE = "NODE_EXTRA_CA_CERTS"
"""Adds to node's own roots, so our CA is enough beside what it named before."""

_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Gentoo, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # newer Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, FreeBSD
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def system_bundle() -> Path | None:
    """The system's file of trusted roots, or None on a machine that has none."""
    compiled_in = ssl.get_default_verify_paths().openssl_cafile
    return next((Path(name) for name in (*_SYSTEM_BUNDLES, compiled_in) if Path(name).is_file()), None)


def system_stores() -> list[Path]:
    """Where the system's own programs look: its bundle, and OpenSSL's directory of hashed certificates."""
    directory = Path(ssl.get_default_verify_paths().openssl_capath)
    return [path for path in (system_bundle(), directory) if path is not None and path.exists()]


def default_roots() -> Path:
    """What a client without a variable trusts: the system's bundle, else certifi's."""
    return system_bundle() or Path(certifi.where())


def certificates_in(path: Path) -> list[bytes]:
    """The certificates (DER) in a PEM file, or in all files of a directory; unreadable files count as empty."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return list(dict.fromkeys(der for file in files for der in _read(file)))


def _read(file: Path) -> Iterator[bytes]:
    try:
        content = file.read_bytes()
    except OSError:
        return
    for block in _CERTIFICATE.findall(content):
        try:
            yield binascii.a2b_base64(block)
        except binascii.Error:
            continue


def trust_variables(authority: Authority, base: Mapping[str, str]) -> dict[str, str]:
    """The CA variables, each with the merged file it names. Writes those files; raises OSError."""
    sources = {name: _roots_in_force(name, base) for name in BUNDLE_VARIABLES}
    bundles = {roots: merged_bundle(authority, roots) for roots in set(sources.values())}
    variables = {name: str(bundles[roots]) for name, roots in sources.items()}
    return variables | {NODE_VARIABLE: str(_node_bundle(authority, base))}


def merged_bundle(authority: Authority, sources: tuple[Path, ...] = ()) -> Path:
    """A file (0644) with the certificates of `sources`, by default the default roots, and our CA.

    Kept under the authority's directory, one file for each set of sources; written anew when a source has changed.
    Raises OSError.
    """
    target = _target(authority, "bundle", sources)
    return _write_bundle(authority, target, sources or (default_roots(),))


def _roots_in_force(variable: str, base: Mapping[str, str]) -> tuple[Path, ...]:
    named = existing_path(base.get(variable))
    directories: list[Path] = []
    if variable == "SSL_CERT_FILE":
        # httpx reads SSL_CERT_DIR only when SSL_CERT_FILE is unset: what the directory holds must be in the file.
        parts = filter(None, base.get("SSL_CERT_DIR", "").split(os.pathsep))
        directories = [Path(part).absolute() for part in parts if Path(part).is_dir()]
    if directories:
        return (named or default_roots(), *directories)
    return (named,) if named else ()


def _node_bundle(authority: Authority, base: Mapping[str, str]) -> Path:
    named = existing_path(base.get(NODE_VARIABLE))
    if named is None or named == authority.cert_path:
        return authority.cert_path
    return _write_bundle(authority, _target(authority, "node", (named,)), (named,))


def existing_path(value: str | None) -> Path | None:
    """The absolute path that a variable names, if there is a file or directory; a variable may be empty or stale."""
    path = Path(value).expanduser() if value else None
    return path.absolute() if path is not None and path.exists() else None


def _target(authority: Authority, stem: str, sources: tuple[Path, ...]) -> Path:
    if len(sources) == 1 and sources[0].parent == authority.confdir:
        return sources[0]  # ours already: a shell with our variables starts another command
    if not sources or sources == (default_roots(),):
        return authority.confdir / f"{stem}.pem"
    digest = hashlib.sha256(os.pathsep.join(map(str, sources)).encode()).hexdigest()
    return authority.confdir / f"{stem}-{digest[:12]}.pem"


def _write_bundle(authority: Authority, target: Path, sources: Iterable[Path]) -> Path:
    ours = certificates_in(authority.cert_path)
    merged = dict.fromkeys([*(der for source in sources for der in certificates_in(source)), *ours])
    write_atomically(target, "".join(map(ssl.DER_cert_to_PEM_cert, merged)).encode(), mode=0o644)
    return target
