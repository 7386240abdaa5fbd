import json

from click.testing import CliRunner

from sluicegate.cli.main import group
from sluicegate.config.models import Settings


def test_the_schema_is_json_that_knows_every_section():
    result = CliRunner().invoke(group, ["schema"])

    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["properties"]) == set(Settings.model_fields)


def test_the_reference_is_markdown():
    result = CliRunner().invoke(group, ["schema", "--markdown"])

    assert result.exit_code == 0
    assert "### `limits.default`" in result.stdout
