import json
import os
import subprocess
import sys

from sluicegate.cli.output import console, print_json


def test_a_pipe_gets_plain_text(capsys):
    console().print("[red]text[/red]")

    assert capsys.readouterr().out == "text\n"


def test_json_is_one_document_with_text_as_it_is(capsys):
    print_json({"name": "bücher"})

    out = capsys.readouterr().out
    assert json.loads(out) == {"name": "bücher"}
    assert "bücher" in out


def output_on_a_terminal(env):
    """What `console` prints where standard output is a terminal."""
    code = "from sluicegate.cli.output import console; console().print('[red]text[/red]')"
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb") as terminal:
        environ = {"PATH": os.environ["PATH"], "TERM": "xterm", **env}
        subprocess.run([sys.executable, "-c", code], stdout=theirs, check=True, env=environ)
        os.close(theirs)
        return terminal.read1(1000)


def test_a_terminal_gets_colours_unless_no_color_is_set():
    assert b"\x1b[31m" in output_on_a_terminal({})
    assert output_on_a_terminal({"NO_COLOR": "1"}).strip() == b"text"
