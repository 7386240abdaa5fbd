import re
from pathlib import Path

from sluicegate.config.keys import ANY_NAME, all_keys
from sluicegate.config.reference import json_schema, markdown, variable

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_key_is_documented():
    text = markdown()

    for key in all_keys():
        name = key.path[-1] if key.section is None else key.name
        assert f"`{name}`" in text or key.path[-1] == ANY_NAME, key.name
        assert key.description in text.replace("&lt;", "<").replace("\\|", "|"), key.name


def test_the_document_holds_the_reference_as_it_is_generated():
    text = DOCUMENT.read_text()
    held = text.partition("<!-- reference: begins -->\n")[2].partition("<!-- reference: ends -->")[0]

    assert held.strip() == markdown().strip(), "write it anew: sluicegate schema --markdown"


def test_every_default_is_told():
    assert "| `listen` | host:port, such as 127.0.0.1:3128 or [::1]:3128 | `127.0.0.1:3128` | no |" in markdown()
    assert "| `state_dir` | a path | the user's state directory | no |" in markdown()


def test_a_variable_names_its_key():
    names = {variable(key) for key in all_keys()}

    assert "SLUICEGATE_LIMITS__DEFAULT__MAX_WAIT" in names
    assert "SLUICEGATE_CACHE__RULES" in names
    assert "SLUICEGATE_CACHE__RULES__TTL" not in names
    assert all(re.fullmatch(r"(SLUICEGATE_[A-Z0-9_]+)?", name) for name in names)


def test_the_schema_knows_every_section_and_nothing_else():
    schema = json_schema()

    assert set(schema["properties"]) == {key.path[0] for key in all_keys()}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["CacheSettings"]["properties"]["mode"]["enum"] == ["shared", "private", "off"]
