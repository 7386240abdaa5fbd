"""The certificate authority that signs what we intercept, in the file format of mitmproxy's `confdir`.

`mitmproxy-ca.pem` (key and certificate, 0600) is the authority; every other file is derived from it, and it is put in
place last, so whoever sees it sees a complete directory.
"""

import base64
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from sluicegate.clock import Clock, SystemClock
from sluicegate.errors import StartError
from sluicegate.files import locked, write_atomically

BASENAME = "mitmproxy"
"""What mitmproxy's TLS addon looks for in its `confdir`."""

_KEY_FILE = f"{BASENAME}-ca.pem"
_CERT_FILE = f"{BASENAME}-ca-cert.pem"
_KEY_SIZE = 2048
_CLOCK = SystemClock()


@dataclass(frozen=True, slots=True)
class Authority:
    """The authority of a state directory, without its key."""

    confdir: Path
    """For mitmproxy's option `confdir`; also where files derived for clients live."""
    cert_path: Path
    cert_pem: str
    fingerprint_sha256: str
    """Of the certificate: hexadecimal pairs with colons, as browsers and openssl show it."""
    spki_sha256: str
    """Of the public key: base64, as Chromium's `--ignore-certificate-errors-spki-list` takes it."""
    not_after: datetime


def ensure_authority(state_dir: Path, *, clock: Clock = _CLOCK) -> Authority:
    """The authority kept under `state_dir`, made when there is none; safe against other processes doing the same.

    Raises StartError when the directory cannot be used, or its files are damaged, expired or do not belong together.
    """
    confdir = state_dir / "ca"
    with _disk_errors(confdir):
        confdir.mkdir(parents=True, exist_ok=True)
        confdir.chmod(0o700)
        with locked(confdir / ".lock"):
            if not (confdir / _KEY_FILE).exists():
                _create(confdir)
            return _load(confdir, datetime.fromtimestamp(clock.wall(), UTC))


def _create(confdir: Path) -> None:
    from mitmproxy.certs import CertStore  # noqa: PLC0415 - slow, and only a first start makes an authority

    with tempfile.TemporaryDirectory(dir=confdir, prefix=".new-") as scratch:
        CertStore.create_store(Path(scratch), BASENAME, _KEY_SIZE, organization="Sluicegate", cn="Sluicegate CA")
        made = sorted(Path(scratch).iterdir(), key=lambda path: path.name == _KEY_FILE)
        for path in made:
            path.replace(confdir / path.name)


def _load(confdir: Path, now: datetime) -> Authority:
    path = confdir / _KEY_FILE
    path.chmod(0o600)
    cert = _parse(path)
    if cert.not_valid_after_utc <= now:
        raise StartError(
            f"the CA in {path} expired on {cert.not_valid_after_utc:%Y-%m-%d}",
            advice=_renewal(confdir),
        )
    pem = cert.public_bytes(serialization.Encoding.PEM)
    write_atomically(confdir / _CERT_FILE, pem, mode=0o644)
    return Authority(
        confdir=confdir,
        cert_path=confdir / _CERT_FILE,
        cert_pem=pem.decode(),
        fingerprint_sha256=cert.fingerprint(hashes.SHA256()).hex(":").upper(),
        spki_sha256=_spki_sha256(cert),
        not_after=cert.not_valid_after_utc,
    )


def _parse(path: Path) -> x509.Certificate:
    content = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(content, password=None)
        cert = x509.load_pem_x509_certificate(content)
        is_ca = cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, x509.ExtensionNotFound) as error:
        raise StartError(f"the CA in {path} is damaged: {error}", advice=_renewal(path.parent)) from error
    if not is_ca or cert.public_key() != key.public_key():
        fault = "its key and certificate do not belong together" if is_ca else "its certificate is not one of a CA"
        raise StartError(f"the CA in {path} is damaged: {fault}", advice=_renewal(path.parent))
    return cert


def _spki_sha256(cert: x509.Certificate) -> str:
    spki = cert.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return base64.b64encode(digest.finalize()).decode()


def _renewal(confdir: Path) -> str:
    return (
        f"Put the file back from a copy, or remove the directory {confdir}: a new CA is made at the next start, "
        "and every client that trusted the old one has to trust the new one (see `sluicegate ca trust`)."
    )


@contextlib.contextmanager
def _disk_errors(confdir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StartError(
            f"the CA's directory {confdir} cannot be used: {error.strerror or error} ({error.filename or confdir})",
            advice="Make it yours and writable, or name another state directory with --state-dir.",
        ) from error
