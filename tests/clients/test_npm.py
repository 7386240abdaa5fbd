import shutil
import subprocess
from pathlib import Path

import pytest

from sluicegate.clients.npm import npm_variables
from sluicegate.clients.trust import certificates_in


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def base(home, tmp_path):
    """An environment in which npm finds no configuration but what a test writes."""
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "npm_config_globalconfig": str(tmp_path / "global-npmrc")}


def _trusted(variables):
    return set(certificates_in(Path(variables["npm_config_cafile"])))


def test_without_a_cafile_npm_is_left_to_nodes_variable(authority, base, tmp_path):
    (tmp_path / "home" / ".npmrc").write_text("fund=false\n;cafile=/x\n#cafile=/y\n")

    assert npm_variables(authority, base, cwd=tmp_path) == {}


@pytest.mark.parametrize("place", ["home/.npmrc", "project/.npmrc", "global-npmrc"])
def test_a_cafile_in_any_npmrc_is_merged_with_ours(authority, base, corporate_root, tmp_path, place):
    (tmp_path / "project" / "src").mkdir(parents=True)
    (tmp_path / "project" / "package.json").write_text("{}")
    (tmp_path / place).write_text(f"registry=https://r.example/\n cafile = {corporate_root}\n")

    variables = npm_variables(authority, base, cwd=tmp_path / "project" / "src")

    assert _trusted(variables) == {*certificates_in(corporate_root), *certificates_in(authority.cert_path)}


@pytest.mark.parametrize("name", ["npm_config_cafile", "NPM_CONFIG_CAFILE"])
def test_a_cafile_variable_wins_over_the_files(authority, base, corporate_root, home, name):
    (home / ".npmrc").write_text("cafile=/nonexistent\n")

    variables = npm_variables(authority, {**base, name: str(corporate_root)}, cwd=home)

    assert set(certificates_in(corporate_root)) < _trusted(variables)


@pytest.mark.parametrize("written", ['cafile="{}"', "cafile=${{CERTS}}/{name}"])
def test_quotes_and_placeholders_are_read_as_npm_reads_them(authority, base, corporate_root, home, written):
    (home / ".npmrc").write_text(written.format(corporate_root, name=corporate_root.name))

    variables = npm_variables(authority, {**base, "CERTS": str(corporate_root.parent)}, cwd=home)

    assert set(certificates_in(corporate_root)) < _trusted(variables)


def test_a_stale_cafile_is_replaced_by_the_systems_roots(authority, base, home, system_root):
    (home / ".npmrc").write_text("cafile=/nonexistent/ca.pem\n")

    assert set(certificates_in(system_root)) < _trusted(npm_variables(authority, base, cwd=home))


def test_npm_itself_takes_the_merged_file(authority, base, corporate_root, home):
    (home / ".npmrc").write_text(f"cafile={corporate_root}\n")
    variables = npm_variables(authority, base, cwd=home)

    told = subprocess.run(
        [shutil.which("npm"), "config", "get", "cafile"],
        env=base | variables, cwd=home, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert told.strip() == variables["npm_config_cafile"]
