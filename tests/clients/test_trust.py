import ssl
from pathlib import Path

import pytest

from sluicegate.clients.trust import (
    BUNDLE_VARIABLES,
    NODE_VARIABLE,
    certificates_in,
    default_roots,
    merged_bundle,
    trust_variables,
)


def _roots(*paths):
    return {der for path in paths for der in certificates_in(path)}


def _bundle(variables, name):
    return set(certificates_in(Path(variables[name])))


@pytest.mark.parametrize("name", BUNDLE_VARIABLES)
def test_each_variable_gets_the_systems_roots_and_ours(authority, system_root, name):
    variables = trust_variables(authority, {})

    assert _bundle(variables, name) == _roots(system_root, authority.cert_path)
    assert Path(variables[name]) == authority.confdir / "bundle.pem"


@pytest.mark.parametrize("name", BUNDLE_VARIABLES)
def test_a_file_the_variable_named_stays_in_force_for_it_alone(authority, corporate_root, system_root, name):
    variables = trust_variables(authority, {name: str(corporate_root)})

    assert _bundle(variables, name) == _roots(corporate_root, authority.cert_path)
    others = [other for other in BUNDLE_VARIABLES if other != name]
    assert all(_bundle(variables, other) == _roots(system_root, authority.cert_path) for other in others)


@pytest.mark.parametrize("value", ["", "/nonexistent/ca.pem"])
def test_a_variable_that_names_no_file_counts_as_unset(authority, system_root, value):
    variables = trust_variables(authority, {"CURL_CA_BUNDLE": value})

    assert _bundle(variables, "CURL_CA_BUNDLE") == _roots(system_root, authority.cert_path)


def test_a_directory_of_the_users_stays_in_force(authority, corporate_root, system_root, tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "0a1b2c3d.0").write_bytes(corporate_root.read_bytes())
    (tmp_path / "certs" / "README").write_text("no certificate")

    variables = trust_variables(authority, {"SSL_CERT_DIR": str(tmp_path / "certs")})

    assert "SSL_CERT_DIR" not in variables
    assert _bundle(variables, "SSL_CERT_FILE") == _roots(corporate_root, system_root, authority.cert_path)
    assert _bundle(variables, "REQUESTS_CA_BUNDLE") == _roots(system_root, authority.cert_path)


def test_node_adds_to_its_own_roots_so_ours_is_enough(authority):
    assert trust_variables(authority, {})[NODE_VARIABLE] == str(authority.cert_path)


def test_what_node_was_given_before_is_kept(authority, corporate_root):
    variables = trust_variables(authority, {NODE_VARIABLE: str(corporate_root)})

    assert _bundle(variables, NODE_VARIABLE) == _roots(corporate_root, authority.cert_path)


def test_setting_the_variables_twice_changes_nothing(authority, corporate_root, tmp_path):
    base = {"PIP_CERT": str(corporate_root), NODE_VARIABLE: str(corporate_root)}
    once = base | trust_variables(authority, base)
    files = {path: path.read_bytes() for path in authority.confdir.glob("*.pem")}

    assert once | trust_variables(authority, once) == once
    assert {path: path.read_bytes() for path in authority.confdir.glob("*.pem")} == files


def test_the_bundle_is_world_readable_and_holds_no_key(authority):
    bundle = merged_bundle(authority)

    assert bundle.stat().st_mode & 0o777 == 0o644
    assert "PRIVATE KEY" not in bundle.read_text()


def test_openssl_loads_the_bundle(authority):
    context = ssl.create_default_context(cafile=str(merged_bundle(authority)))

    assert ssl.PEM_cert_to_DER_cert(authority.cert_pem) in context.get_ca_certs(binary_form=True)


def test_a_changed_source_changes_the_bundle(authority, corporate_root, system_root, tmp_path):
    source = tmp_path / "roots.pem"
    source.write_bytes(system_root.read_bytes())
    bundle = merged_bundle(authority, (source,))
    inode = bundle.stat().st_ino

    assert merged_bundle(authority, (source,)).stat().st_ino == inode

    source.write_bytes(corporate_root.read_bytes())
    assert merged_bundle(authority, (source,)) == bundle
    assert set(certificates_in(bundle)) == _roots(corporate_root, authority.cert_path)


def test_no_certificate_comes_twice_and_comments_are_dropped(authority, system_root, tmp_path):
    pem = system_root.read_text()
    (tmp_path / "doubled.pem").write_text(f"# Root A\n{pem}\n# Root A again\n{pem}{authority.cert_pem}")

    bundle = merged_bundle(authority, (tmp_path / "doubled.pem",))

    assert bundle.read_text().count("BEGIN CERTIFICATE") == 2


def test_a_machine_without_a_bundle_uses_certifis(authority, monkeypatch, tmp_path):
    import certifi

    monkeypatch.setattr("sluicegate.clients.trust._SYSTEM_BUNDLES", ())
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=str(tmp_path / "none"))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    assert str(default_roots()) == certifi.where()


def test_garbage_between_the_markers_is_no_certificate(tmp_path):
    (tmp_path / "bad.pem").write_text("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n")

    assert certificates_in(tmp_path / "bad.pem") == []
