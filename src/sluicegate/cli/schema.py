"""`sluicegate schema`: the shape of the configuration file, for editors and for people."""

import click

from sluicegate.cli.output import print_json
from sluicegate.config.reference import json_schema, markdown


@click.command(short_help="Print the JSON Schema of the configuration file.")
@click.option("--markdown", "as_markdown", is_flag=True, help="The reference of all keys as Markdown tables.")
def command(*, as_markdown: bool) -> None:
    """Print the JSON Schema of the configuration file.

    An editor with YAML support then completes and checks it: put
    `# yaml-language-server: $schema=FILE` on the file's first line.
    """
    if as_markdown:
        click.echo(markdown(), nl=False)
    else:
        print_json(json_schema())
