"""The reference of all keys, as Markdown and as JSON Schema: generated from the models, so that it cannot be wrong."""

import json
from typing import Any

from sluicegate.config.diff import is_live
from sluicegate.config.keys import ANY_NAME, Key, all_keys
from sluicegate.config.layers import ENV_PREFIX
from sluicegate.config.models import Settings

COMPUTED = {("state_dir",): "the user's state directory"}
"""Defaults that depend on the machine, as the reference tells them."""


def markdown() -> str:
    """One table a section: key, what is allowed, default, whether a reload is enough, what it means."""
    lines: list[str] = []
    for key in all_keys():
        if key.section is not None:
            lines += ["", f"### `{key.name}`", "", key.description, ""]
            lines += _table([inner for inner in all_keys() if inner.path[:-1] == key.path and not inner.section])
    top = [key for key in all_keys() if len(key.path) == 1 and not key.section]
    return "\n".join(["### The file itself", "", *_table(top), *lines]).strip() + "\n"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, for editors."""
    schema = Settings.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | schema | {"title": "Sluicegate configuration"}


def variable(key: Key) -> str:
    """The environment variable that sets the key; empty for keys whose names the user chooses, and inside a list."""
    return "" if ANY_NAME in key.path or (key.listed and not key.section) else ENV_PREFIX + "__".join(key.path).upper()


def _table(keys: list[Key]) -> list[str]:
    rows = [
        f"| `{key.path[-1]}` | {_cell(key.allowed)} | {_default(key)} | {'yes' if is_live(key.path) else 'no'} "
        f"| {_cell(key.description)} |"
        for key in keys
    ]
    return ["| key | allowed | default | live | meaning |", "| --- | --- | --- | --- | --- |", *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _default(key: Key) -> str:
    if key.path in COMPUTED:
        return COMPUTED[key.path]
    if ANY_NAME in key.path:
        return "as in `limits.default`"
    return f"`{_plain(key)}`"


def _plain(key: Key) -> str:
    if key.listed:
        return json.dumps(key.default)
    value: Any = Settings().model_dump(mode="json")
    for part in key.path:
        value = value[part]
    return value if isinstance(value, str) else json.dumps(value)
