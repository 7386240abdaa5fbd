import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from mitmproxy.certs import CertStore

from sluicegate.clock import ManualClock
from sluicegate.errors import StartError
from sluicegate.proxy.authority import BASENAME, ensure_authority


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    state_dir = tmp_path_factory.mktemp("authority")
    ensure_authority(state_dir)
    return state_dir


@pytest.fixture
def state_dir(made, tmp_path):
    return shutil.copytree(made, tmp_path / "state")


def _mode(path):
    return path.stat().st_mode & 0o777


def test_the_first_start_makes_an_authority_only_its_owner_can_use(tmp_path):
    authority = ensure_authority(tmp_path / "deep" / "state")

    assert authority.confdir == tmp_path / "deep" / "state" / "ca"
    assert _mode(authority.confdir) == 0o700
    assert _mode(authority.confdir / "mitmproxy-ca.pem") == 0o600
    assert _mode(authority.confdir / "mitmproxy-ca.p12") == 0o600
    assert _mode(authority.cert_path) == 0o644
    assert "PRIVATE KEY" not in authority.cert_path.read_text()
    assert not list(authority.confdir.glob(".new-*"))


def test_mitmproxy_signs_with_it(state_dir):
    authority = ensure_authority(state_dir)
    store = CertStore.from_store(authority.confdir, BASENAME, 2048)

    leaf = store.get_cert("example.org", [x509.DNSName("example.org")]).cert

    issuer = x509.load_pem_x509_certificate(authority.cert_pem.encode())
    leaf.to_cryptography().verify_directly_issued_by(issuer)
    assert issuer.subject.rfc4514_string() == "O=Sluicegate,CN=Sluicegate CA"


def test_what_it_tells_is_what_openssl_tells(state_dir):
    authority = ensure_authority(state_dir)
    told = subprocess.run(
        ["openssl", "x509", "-in", authority.cert_path, "-noout", "-fingerprint", "-sha256", "-enddate"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    spki = subprocess.run(
        f"openssl x509 -in {authority.cert_path} -pubkey -noout | openssl pkey -pubin -outform der "
        "| openssl dgst -sha256 -binary | openssl base64",
        shell=True, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert f"Fingerprint={authority.fingerprint_sha256}" in told
    assert f"notAfter={authority.not_after:%b %e %H:%M:%S %Y} GMT" in told
    assert spki.strip() == authority.spki_sha256


def test_the_next_start_finds_the_same_authority(state_dir):
    assert ensure_authority(state_dir) == ensure_authority(state_dir)


def test_processes_that_start_together_agree_on_one_authority(tmp_path):
    script = (
        "import sys, pathlib; from sluicegate.proxy.authority import ensure_authority; "
        "sys.stdin.read(); print(ensure_authority(pathlib.Path(sys.argv[1])).fingerprint_sha256)"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", script, tmp_path / "state"], stdin=-1, stdout=-1, text=True)
        for _ in range(4)
    ]
    for starter in starters:
        starter.stdin.close()
    fingerprints = {starter.stdout.read() for starter in starters}
    for starter in starters:
        starter.stdout.close()
        assert starter.wait() == 0

    assert fingerprints == {ensure_authority(tmp_path / "state").fingerprint_sha256 + "\n"}


def test_a_lax_key_file_is_tightened(state_dir):
    (state_dir / "ca").chmod(0o755)
    (state_dir / "ca" / "mitmproxy-ca.pem").chmod(0o644)

    ensure_authority(state_dir)

    assert _mode(state_dir / "ca") == 0o700
    assert _mode(state_dir / "ca" / "mitmproxy-ca.pem") == 0o600


def test_a_lost_certificate_file_comes_back_from_the_key_file(state_dir):
    before = ensure_authority(state_dir)
    before.cert_path.write_text("scribble")

    assert ensure_authority(state_dir) == before
    assert before.cert_path.read_text() == before.cert_pem


def test_a_removed_key_file_means_a_new_authority(state_dir):
    before = ensure_authority(state_dir)
    (state_dir / "ca" / "mitmproxy-ca.pem").unlink()

    after = ensure_authority(state_dir)

    assert after.fingerprint_sha256 != before.fingerprint_sha256
    assert after.cert_path.read_text() == after.cert_pem


def _with_foreign_certificate(own: str, tmp_path) -> str:
    foreign = ensure_authority(tmp_path / "foreign")
    return own[: own.index("-----BEGIN CERTIFICATE")] + foreign.cert_pem


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        pytest.param(lambda own, _: "", "damaged", id="empty"),
        pytest.param(lambda own, _: own[: len(own) // 2], "damaged", id="cut short"),
        pytest.param(lambda own, _: own[: own.index("-----BEGIN CERTIFICATE")], "damaged", id="no certificate"),
        pytest.param(lambda own, _: own[own.index("-----BEGIN CERTIFICATE") :], "damaged", id="no key"),
        pytest.param(_with_foreign_certificate, "do not belong together", id="foreign certificate"),
    ],
)
def test_a_damaged_key_file_is_named_with_the_cure_and_kept(state_dir, tmp_path, damage, fault):
    path = state_dir / "ca" / "mitmproxy-ca.pem"
    damaged = damage(path.read_text(), tmp_path)
    path.write_text(damaged)

    with pytest.raises(StartError, match=fault) as caught:
        ensure_authority(state_dir)

    assert str(path) in str(caught.value)
    assert f"remove the directory {state_dir / 'ca'}" in caught.value.advice
    assert path.read_text() == damaged


def test_an_expired_authority_is_told(state_dir):
    expiry = ensure_authority(state_dir).not_after
    last_moment = expiry - timedelta(seconds=1)

    ensure_authority(state_dir, clock=ManualClock(wall=last_moment.timestamp()))
    with pytest.raises(StartError, match=rf"expired on {expiry:%Y-%m-%d}"):
        ensure_authority(state_dir, clock=ManualClock(wall=expiry.timestamp()))

    assert expiry > datetime.now(UTC) + timedelta(days=3600)


def test_a_directory_that_cannot_be_used_is_a_start_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StartError, match="cannot be used") as caught:
        ensure_authority(tmp_path / "file")

    assert str(tmp_path / "file") in str(caught.value)
    assert "--state-dir" in caught.value.advice
