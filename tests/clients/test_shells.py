import shlex
import subprocess

import pytest

from sluicegate.clients.shells import Format, detect_format, named_files, render, usage

AWKWARD = {"B": 'it\'s "$HOME" `x` \\ a|b;c', "a": "", "C": "http://127.0.0.1:4128"}


def test_sh_golden():
    assert render(AWKWARD, Format.SH) == (
        "export B='it'\"'\"'s \"$HOME\" `x` \\ a|b;c'\nexport C=http://127.0.0.1:4128\nexport a=''\n"
    )


def test_fish_golden():
    assert render(AWKWARD, Format.FISH) == (
        "set -gx B 'it\\'s \"$HOME\" `x` \\\\ a|b;c'\nset -gx C 'http://127.0.0.1:4128'\nset -gx a ''\n"
    )


def test_powershell_golden():
    assert render({**AWKWARD, "D": "‘typographic’"}, Format.POWERSHELL) == (
        "$env:B = 'it''s \"$HOME\" `x` \\ a|b;c'\n"
        "$env:C = 'http://127.0.0.1:4128'\n"
        "$env:D = '‘‘typographic’’'\n"
        "$env:a = ''\n"
    )


@pytest.mark.parametrize("form", [Format.DOCKER, Format.GITHUB])
def test_files_of_variables_take_no_quotes(form):
    assert render(AWKWARD, form) == 'B=it\'s "$HOME" `x` \\ a|b;c\nC=http://127.0.0.1:4128\na=\n'


def test_a_line_break_is_fenced_for_github_and_refused_for_docker():
    first, *middle, last = render({"A": "one\ntwo"}, Format.GITHUB).splitlines()

    assert middle == ["one", "two"]
    assert first == f"A<<{last}"
    with pytest.raises(ValueError, match="A has a line break"):
        render({"A": "one\ntwo"}, Format.DOCKER)


@pytest.mark.parametrize("shell", ["sh", "bash", "dash"])
def test_a_real_shell_reads_back_every_value(shell):
    values = {**AWKWARD, "D": "line\nbreak", "E": "* ? ~ ! # \t", "F": "-n"}
    script = render(values, Format.SH) + 'printf "%s\\0" "$a" "$B" "$C" "$D" "$E" "$F"'

    told = subprocess.run([shell, "-c", script], check=True, capture_output=True, text=True).stdout

    assert told.split("\0")[:-1] == [values[name] for name in ("a", "B", "C", "D", "E", "F")]


@pytest.mark.parametrize(
    ("shell", "form"),
    [
        ("/bin/bash", Format.SH),
        ("/usr/bin/zsh", Format.SH),
        ("/usr/local/bin/fish", Format.FISH),
        ("/usr/bin/pwsh", Format.POWERSHELL),
    ],
)
def test_the_shell_tells_the_format(shell, form):
    assert detect_format({"SHELL": shell}) is form


def test_without_a_shell_it_is_sh():
    assert detect_format({}) is Format.SH


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (Format.SH, 'eval "$(sluicegate env)"'),
        (Format.FISH, "sluicegate env | source"),
        (Format.POWERSHELL, "sluicegate env | Out-String | Invoke-Expression"),
        (Format.GITHUB, 'sluicegate env >> "$GITHUB_ENV"'),
    ],
)
def test_each_format_tells_how_it_is_used(form, line):
    assert usage(form, [], command="sluicegate env") == line


def test_docker_is_told_to_mount_each_file_and_nothing_else(tmp_path):
    bundle = tmp_path / "my bundle.pem"
    variables = {"SSL_CERT_FILE": str(bundle), "PIP_CERT": str(bundle), "X": "/elsewhere/file", "Y": "1"}

    files = named_files(variables, tmp_path)

    assert files == [str(bundle)]
    assert f"--volume={bundle}:{bundle}:ro" in shlex.split(usage(Format.DOCKER, files, command="sluicegate env"))
