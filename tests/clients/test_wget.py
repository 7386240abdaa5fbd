from pathlib import Path

import pytest

from sluicegate.clients.trust import certificates_in
from sluicegate.clients.wget import wget_variables


def _lines(variables):
    return Path(variables["WGETRC"]).read_text().splitlines()


def _trusted(variables):
    (line,) = [line for line in _lines(variables) if line.startswith("ca_certificate")]
    return set(certificates_in(Path(line.partition(" = ")[2])))


def test_the_wgetrc_names_the_merged_bundle(authority, system_root, tmp_path):
    variables = wget_variables(authority, {"HOME": str(tmp_path)})

    assert _trusted(variables) == {*certificates_in(system_root), *certificates_in(authority.cert_path)}


@pytest.mark.parametrize("place", ["home", "variable"])
def test_the_users_own_commands_are_kept(authority, tmp_path, place):
    own = tmp_path / ("own" if place == "variable" else ".wgetrc")
    own.write_text("# mine\ntries = 3\nhttp_password = secret\n")

    variables = wget_variables(authority, {"HOME": str(tmp_path), "WGETRC": str(own) if place == "variable" else ""})

    assert _lines(variables)[:3] == ["# mine", "tries = 3", "http_password = secret"]
    assert Path(variables["WGETRC"]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("line", ["http_proxy = http://old:1", "HTTPS-Proxy=http://old:1", "use_proxy = off"])
def test_commands_that_would_go_round_the_proxy_are_left_out(authority, tmp_path, line):
    (tmp_path / ".wgetrc").write_text(f"tries = 3\n{line}\n")

    assert [kept for kept in _lines(wget_variables(authority, {"HOME": str(tmp_path)})) if kept == line] == []


def test_the_users_ca_stays_in_force(authority, corporate_root, tmp_path):
    (tmp_path / ".wgetrc").write_text(f"CA_Certificate = {corporate_root}\n")

    variables = wget_variables(authority, {"HOME": str(tmp_path)})

    assert _trusted(variables) == {*certificates_in(corporate_root), *certificates_in(authority.cert_path)}


def test_doing_it_twice_changes_nothing(authority, corporate_root, tmp_path):
    (tmp_path / ".wgetrc").write_text(f"tries = 3\nca_certificate = {corporate_root}\n")
    base = {"HOME": str(tmp_path)}
    once = wget_variables(authority, base)
    content = _lines(once)

    assert wget_variables(authority, base | once) == once
    assert _lines(once) == content


def test_bytes_that_are_no_text_pass_through(authority, tmp_path):
    (tmp_path / ".wgetrc").write_bytes(b"user = J\xf6rg\n")

    variables = wget_variables(authority, {"HOME": str(tmp_path)})

    assert Path(variables["WGETRC"]).read_bytes().startswith(b"user = J\xf6rg\n")
