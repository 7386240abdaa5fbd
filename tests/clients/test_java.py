import subprocess
from dataclasses import replace

import pytest

from sluicegate.clients.java import java_variables, trust_store

PROXY = "http://127.0.0.1:4128"


def _options(authority, base=None, no_proxy=()):
    return java_variables(PROXY, authority, base or {}, no_proxy)["JAVA_TOOL_OPTIONS"].split()


def test_the_jvm_gets_proxy_and_trust_store(authority):
    assert {
        "-Dhttp.proxyHost=127.0.0.1",
        "-Dhttp.proxyPort=4128",
        "-Dhttps.proxyHost=127.0.0.1",
        "-Dhttps.proxyPort=4128",
        f"-Djavax.net.ssl.trustStore={authority.confdir / 'truststore.p12'}",
        "-Djavax.net.ssl.trustStorePassword=changeit",
    } < set(_options(authority))


def test_options_that_are_there_are_kept_in_front(authority):
    assert _options(authority, {"JAVA_TOOL_OPTIONS": "-Xmx1g -ea"})[:2] == ["-Xmx1g", "-ea"]


def test_hosts_that_go_round_are_written_as_java_has_them(authority):
    entries = ["localhost", ".up.test", "::1", "10.0.0.0/8", "*.x.test"]

    assert "-Dhttp.nonProxyHosts=localhost|*.up.test|[::1]|*.x.test" in _options(authority, no_proxy=entries)


def test_keytool_finds_the_roots_and_ours_in_the_store(authority):
    listed = subprocess.run(
        ["keytool", "-list", "-keystore", trust_store(authority), "-storepass", "changeit"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert "contains 2 entries" in listed
    assert listed.count("trustedCertEntry") == 2
    assert authority.fingerprint_sha256 in listed


def test_the_store_is_made_again_only_when_a_root_changes(authority, corporate_root, monkeypatch):
    before = trust_store(authority).read_bytes()
    assert trust_store(authority).read_bytes() == before

    monkeypatch.setattr("sluicegate.clients.trust._SYSTEM_BUNDLES", (str(corporate_root),))
    assert trust_store(authority).read_bytes() != before


def test_a_real_jvm_reads_the_properties_even_from_a_path_with_a_space(authority, tmp_path):
    confdir = tmp_path / "my state"
    confdir.mkdir()
    spaced = replace(authority, confdir=confdir)
    variables = java_variables(PROXY, spaced, {}, ["localhost", ".up.test"])

    told = subprocess.run(
        ["java", "-XshowSettings:properties", "-version"],
        env={"PATH": "/usr/bin:/bin", **variables}, check=True, capture_output=True, text=True,
    ).stderr  # fmt: skip

    assert f"javax.net.ssl.trustStore = {confdir / 'truststore.p12'}\n" in told
    assert "http.nonProxyHosts = localhost|*.up.test\n" in told


@pytest.mark.parametrize("name", ["truststore.p12", "truststore.pem"])
def test_a_lost_file_is_made_again(authority, name):
    trust_store(authority)
    (authority.confdir / name).unlink()

    trust_store(authority)

    assert (authority.confdir / name).exists()
