import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from sluicegate.cli.main import group
from sluicegate.config.keys import ANY_NAME, all_keys
from sluicegate.config.load import load_settings


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(group, ["init", *words])


def test_the_file_loads_to_the_defaults(run):
    assert run().exit_code == 0

    written, defaults = load_settings(Path("sluicegate.yaml"), {"HOME": "/h"}), load_settings(None, {"HOME": "/h"})
    assert written.settings == defaults.settings


def test_the_file_mentions_every_key(run):
    text = run("-").output

    for key in all_keys():
        if ANY_NAME not in key.path:
            assert f"{key.path[-1]}:" in text, key.name


def test_a_file_that_exists_is_left_alone_unless_forced(run):
    Path("mine.yaml").write_text("workers: 1\n")

    refused = run("mine.yaml")
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert Path("mine.yaml").read_text() == "workers: 1\n"

    assert run("mine.yaml", "--force").exit_code == 0
    assert "listen" in Path("mine.yaml").read_text()


def test_a_place_that_cannot_be_written_is_an_error_without_a_traceback(run):
    result = run("no/such/directory/f.yaml")

    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


def test_standard_output_gets_the_same_file(run):
    run("f.yaml")

    assert run("-").output == Path("f.yaml").read_text()


def test_the_examples_directory_holds_the_same_file(run):
    assert run("-").output == (Path(__file__).parents[2] / "config" / "sluicegate.yaml").read_text()


def test_what_is_commented_out_in_the_file_is_good_too(run):
    active = re.sub(r"^( *)# (?=\S+: (\./|redis:|\{))", r"\1", run("-").output, flags=re.MULTILINE)
    Path("f.yaml").write_text(active.replace("hosts: {} ", "hosts:"))

    settings = load_settings(Path("f.yaml"), {}).settings

    assert settings.state_dir == Path.cwd() / "state"
    assert list(settings.limits.hosts) == ["api.example.com", "*.example.org", "mirror.internal"]


def test_other_readers_of_yaml_understand_the_file_alike(run):
    assert yaml.safe_load(run("-").output)["limits"]["default"]["rates"] == ["10/second"]
