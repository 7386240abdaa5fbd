"""What several end-to-end tests share: a private authority for https origins, and two shells under `sluicegate run`."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from support.clients import PER_SECOND, WrappedShell, wrapped_shell
from support.proxy import base_config, write_config

HOSTS = ("localhost", *(f"127.0.0.{number}" for number in range(1, 16)))
"""Every address of 127.0.0.0/8 is this machine: hosts with limits of their own, without a name server."""


@dataclass(frozen=True)
class PrivateCa:
    """An authority that only `https.upstream_ca` makes trusted."""

    file: Path
    certificate: trustme.LeafCert
    """For all of HOSTS."""


@pytest.fixture(scope="session")
def private_ca(tmp_path_factory) -> PrivateCa:
    issuer = trustme.CA()
    file = tmp_path_factory.mktemp("authority") / "root.pem"
    issuer.cert_pem.write_to_path(str(file))
    return PrivateCa(file, issuer.issue_cert(*HOSTS))


@pytest.fixture(scope="session")
def shells(tmp_path_factory, private_ca) -> tuple[WrappedShell, WrappedShell]:
    """Two `sluicegate run` on one state directory, with PER_SECOND requests a second for each host."""
    directory = tmp_path_factory.mktemp("shells")
    config = base_config(
        directory,
        limits={"default": {"rates": [f"{PER_SECOND}/second"]}},
        https={"upstream_ca": str(private_ca.file)},
    )
    del config["log"]
    file = directory / "sluicegate.yaml"
    write_config(file, config)
    with wrapped_shell(file, directory / "first") as first, wrapped_shell(file, directory / "second") as second:
        yield first, second
