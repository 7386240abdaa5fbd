import hashlib
import os
import ssl
import subprocess
from pathlib import Path

import pytest

from sluicegate.proxy.authority import ensure_authority
from support.proxy import COMMAND, clean_environ


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return ensure_authority(tmp_path_factory.mktemp("state"))


@pytest.fixture
def ca(authority):
    """`sluicegate ca`: `ca("check", SSL_CERT_FILE=…)`."""

    def ca(*arguments, **environ):
        return subprocess.run(
            [*COMMAND, "ca", "--state-dir", authority.confdir.parent, *arguments],
            env=_without_ca_variables() | environ, check=False, capture_output=True,
        )  # fmt: skip

    return ca


def _without_ca_variables():
    words = ("CERT", "CA_BUNDLE", "CAINFO", "ROOTS")
    return {name: value for name, value in clean_environ().items() if not any(word in name for word in words)}


def test_it_shows_file_fingerprint_and_expiry(ca, authority):
    shown = ca().stdout.decode()

    assert str(authority.cert_path) in shown
    assert authority.fingerprint_sha256 in shown
    assert f"{authority.not_after:%Y-%m-%d}" in shown


@pytest.mark.parametrize("form", ["pem", "der"])
def test_the_exported_certificate_is_the_one_that_is_shown(ca, authority, form):
    content = ca("export", "--format", form).stdout
    der = ssl.PEM_cert_to_DER_cert(content.decode()) if form == "pem" else content

    assert hashlib.sha256(der).hexdigest().upper() == authority.fingerprint_sha256.replace(":", "")


def test_a_p12_file_is_a_trust_store_without_a_key(ca, authority, tmp_path):
    assert ca("export", str(tmp_path / "ca.p12"), "--format", "p12").returncode == 0

    listed = subprocess.run(
        ["keytool", "-list", "-keystore", tmp_path / "ca.p12", "-storepass", "changeit"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert "sluicegate" in listed
    assert "trustedCertEntry" in listed
    assert "PrivateKeyEntry" not in listed
    assert authority.fingerprint_sha256 in listed


def test_an_exported_file_can_be_read_by_all(ca, authority, tmp_path):
    ca("export", str(tmp_path / "ca.pem"))

    assert (tmp_path / "ca.pem").read_text() == authority.cert_pem
    assert (tmp_path / "ca.pem").stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_written_is_named(ca, tmp_path):
    done = ca("export", str(tmp_path / "no" / "such" / "ca.pem"))

    assert done.returncode != 0
    assert b"no/such/ca.pem" in done.stderr
    assert b"Traceback" not in done.stderr


def test_binary_is_not_written_to_a_terminal(authority):
    import pty

    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "ca", "--state-dir", authority.confdir.parent, "export", "--format", "der"],
        check=False, stdout=theirs, stderr=subprocess.PIPE,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)

    assert done.returncode == 2
    assert b"is binary" in done.stderr


def test_check_fails_and_tells_where_it_is_not_trusted(ca):
    done = ca("check")

    assert done.returncode == 1
    assert b"NOT TRUSTED" in done.stdout
    assert b"sluicegate env" in done.stderr


def test_check_is_content_in_a_shell_with_our_variables(ca, authority):
    script = subprocess.run(
        [*COMMAND, "env", "--state-dir", authority.confdir.parent, "--format", "github"],
        env=_without_ca_variables(), check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    variables = dict(line.split("=", 1) for line in script.splitlines())

    assert ca("check", **variables).returncode == 0

    variables["REQUESTS_CA_BUNDLE"] = "/etc/ssl/certs/ca-certificates.crt"
    done = ca("check", **variables)
    assert done.returncode == 1
    assert b"NOT TRUSTED  REQUESTS_CA_BUNDLE=/etc/ssl/certs" in done.stdout


def test_check_is_content_when_the_system_trusts_it(authority, monkeypatch):
    from click.testing import CliRunner

    from sluicegate.cli.ca import command
    from sluicegate.clients import trust

    for name in set(os.environ) - set(_without_ca_variables()):
        monkeypatch.delenv(name)
    monkeypatch.setattr(trust, "_SYSTEM_BUNDLES", (str(authority.cert_path),))

    done = CliRunner().invoke(command, ["--state-dir", str(authority.confdir.parent), "check"])

    assert done.exit_code == 0, done.output
    assert "a store of their own" in done.output
    assert f"trusted      {authority.cert_path}" in done.output


def test_trust_prints_how_and_changes_nothing(ca, authority):
    before = sorted((path, path.stat().st_mtime_ns) for path in Path("/etc/ssl/certs").iterdir())

    done = ca("trust", "debian")

    assert str(authority.cert_path).encode() in done.stdout
    assert sorted((path, path.stat().st_mtime_ns) for path in Path("/etc/ssl/certs").iterdir()) == before


def test_a_damaged_authority_is_exit_2_without_a_traceback(tmp_path):
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "mitmproxy-ca.pem").write_text("scribble")

    done = subprocess.run([*COMMAND, "ca", "--state-dir", tmp_path], check=False, capture_output=True, text=True)

    assert done.returncode == 2
    assert str(tmp_path / "ca" / "mitmproxy-ca.pem") in done.stderr
    assert "Traceback" not in done.stderr
