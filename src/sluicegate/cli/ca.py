"""`sluicegate ca`: show, export and check the certificate authority, and say how to trust it."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from sluicegate.cli.client_options import config_options
from sluicegate.cli.options import collect
from sluicegate.clients.guides import SECTIONS, guide
from sluicegate.clients.java import TRUST_STORE_PASSWORD
from sluicegate.clients.trust import BUNDLE_VARIABLES, NODE_VARIABLE, certificates_in, merged_bundle, system_stores
from sluicegate.files import write_atomically
from sluicegate.proxy.authority import Authority, ensure_authority


@click.group(invoke_without_command=True)
@config_options("--state-dir")
@click.pass_context
def command(ctx: click.Context, /, **parameters: Any) -> None:
    """Show the certificate authority that signs intercepted https: its file, fingerprint and expiry.

    It is made on the machine, at the first start, and its key never leaves the state directory.
    """
    authority = ensure_authority(collect(parameters).settings.state_dir)
    ctx.obj = authority
    if ctx.invoked_subcommand is None:
        click.echo(
            f"certificate   {authority.cert_path}\n"
            f"with roots    {merged_bundle(authority)}\n"
            f"SHA-256       {authority.fingerprint_sha256}\n"
            f"key, SHA-256  {authority.spki_sha256}\n"
            f"expires       {authority.not_after:%Y-%m-%d}"
        )


@command.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["pem", "der", "p12"]), default="pem", show_default=True, help="How."
)
@click.pass_obj
def export(authority: Authority, /, *, file: Path | None, form: str) -> None:
    """Write the certificate, without its key, to FILE or standard output.

    A p12 file is a trust store for Java; its password is "changeit".
    """
    content = encoded(authority, form)
    if file is not None:
        try:
            write_atomically(file.absolute(), content, mode=0o644)
        except OSError as error:
            raise click.FileError(str(file), error.strerror) from error
    elif form != "pem" and sys.stdout.isatty():
        raise click.UsageError(f"{form} is binary: name a FILE, or redirect the output.")
    else:
        click.echo(content, nl=False)


def encoded(authority: Authority, form: str) -> bytes:
    """The certificate as `pem`, `der` or `p12`."""
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.encode())
    match form:
        case "der":
            return certificate.public_bytes(serialization.Encoding.DER)
        case "p12":
            entry = pkcs12.PKCS12Certificate(certificate, b"sluicegate")
            encryption = serialization.BestAvailableEncryption(TRUST_STORE_PASSWORD.encode())
            return pkcs12.serialize_java_truststore([entry], encryption)
        case _:
            return authority.cert_pem.encode()


@command.command()
@click.pass_obj
def check(authority: Authority, /) -> None:
    """Tell whether the programs of this shell trust the certificate; exit 1 if some do not.

    Looked at are the system's store and the files named by the variables that `sluicegate env` sets.
    """
    places = trusted_places(authority, os.environ)
    for place, trusted in places.items():
        click.echo(f"{'trusted    ' if trusted else 'NOT TRUSTED'}  {place}")
    variables = {place.split("=")[0]: trusted for place, trusted in places.items() if "=" in place}
    in_system = any(trusted for place, trusted in places.items() if "=" not in place)
    unset = [name for name in (*BUNDLE_VARIABLES, NODE_VARIABLE) if name not in variables]
    if not all(variables.values()) or (unset and not in_system):
        click.echo(
            'For this shell: eval "$(sluicegate env)". For the whole system: sluicegate ca trust tells how.', err=True
        )
        sys.exit(1)
    if unset:
        click.echo(
            f"Programs with a store of their own (Python's, node's) need the variables as well: {', '.join(unset)}"
        )


def trusted_places(authority: Authority, base: Mapping[str, str]) -> dict[str, bool]:
    """Each place where a program may look, and whether our certificate is there: stores, and `VARIABLE=file`."""
    (ours,) = certificates_in(authority.cert_path)
    stores = {str(store): store for store in system_stores()}
    named = {f"{name}={base[name]}": Path(base[name]) for name in (*BUNDLE_VARIABLES, NODE_VARIABLE) if base.get(name)}
    return {place: ours in certificates_in(path) for place, path in {**stores, **named}.items()}


@command.command()
@click.argument("system", required=False, type=click.Choice(list(SECTIONS)))
@click.pass_obj
def trust(authority: Authority, /, *, system: str | None) -> None:
    """Say how to trust the certificate on each SYSTEM and in programs with stores of their own.

    Only prints: nothing is changed.
    """
    click.echo(guide(authority, merged_bundle(authority), system))
