"""`sluicegate init`: a commented configuration file to start from."""

from importlib.resources import files
from pathlib import Path

import click

from sluicegate.errors import StartError

EXAMPLES = """\b
Examples:
  sluicegate init
  sluicegate init - | less
"""


@click.command(short_help="Write a commented configuration file.", epilog=EXAMPLES)
@click.argument("file", default="sluicegate.yaml", metavar="[FILE]")
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def command(*, file: str, force: bool) -> None:
    """Write a commented configuration file (sluicegate.yaml; `-` is standard output).

    It says what is in force anyway: every value in it is the default.
    """
    text = template()
    if file == "-":
        click.echo(text, nl=False)
        return
    try:
        with Path(file).open("w" if force else "x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise StartError(f"{file} exists.", advice="Name another file, or overwrite it with --force.") from None
    except OSError as error:
        raise StartError(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {file}. Check it with `sluicegate check --config {file}`.")


def template() -> str:
    """The commented file."""
    return files("sluicegate.config").joinpath("sluicegate.yaml").read_text("utf-8")
