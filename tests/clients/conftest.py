import shutil
from dataclasses import replace

import pytest

from sluicegate.clients import trust
from sluicegate.proxy.authority import ensure_authority


@pytest.fixture(scope="session")
def made_authority(tmp_path_factory):
    return ensure_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def authority(made_authority, tmp_path):
    """An authority with a directory of the test's own."""
    confdir = shutil.copytree(made_authority.confdir, tmp_path / "state" / "ca")
    return replace(made_authority, confdir=confdir, cert_path=confdir / made_authority.cert_path.name)


@pytest.fixture(scope="session")
def make_root(tmp_path_factory):
    """Self-signed roots, each from a directory of its own: `make_root("corp")` is the path of one."""

    def make(name):
        return ensure_authority(tmp_path_factory.mktemp(name)).cert_path

    return make


@pytest.fixture(scope="session")
def corporate_root(make_root):
    return make_root("corporate")


@pytest.fixture(scope="session")
def system_root(make_root):
    return make_root("system")


@pytest.fixture(autouse=True)
def small_system_bundle(system_root, monkeypatch):
    """The machine's store is a file with one root, so that tests can tell what is in a bundle."""
    monkeypatch.setattr(trust, "_SYSTEM_BUNDLES", (str(system_root),))
