"""What pydantic found wrong, told in the user's terms: the key, what was found, what is allowed."""

import difflib
import json
from typing import Any

from pydantic_core import ErrorDetails

from sluicegate.config.keys import all_keys, key_at, names_in
from sluicegate.config.layers import Layer
from sluicegate.config.leaf import without_userinfo
from sluicegate.config.yaml_tree import KeyPath

_SECRET_SECTIONS = {("access", "users"), ("admin_token",)}
_LONGEST = 60


def complain(layer: Layer, error: ErrorDetails) -> KeyPath:
    """Add the problem that `error` stands for to the layer; return the path of the value at fault."""
    path: KeyPath = error["loc"]
    found = error["input"]
    if path and path[-1] == "[key]":
        path, found = path[:-1], path[-2]
    key = key_at(path)
    allowed = ", ".join(names_in(path)) or (key.allowed if key is not None else "")
    match error["type"]:
        case "extra_forbidden":
            siblings = ", ".join(names_in(path[:-1]))
            layer.problem(path, f"is not a known key{_suggestion(path)}", allowed=siblings)
        case "leaf":
            context = error["ctx"]
            layer.problem(path, str(context["message"]), found=shown(path, found), allowed=str(context["allowed"]))
        case "model_type" | "dict_type":
            layer.problem(path, "must be a section of keys", found=shown(path, found), allowed=allowed)
        case "tuple_type":
            layer.problem(path, "must be a list", found=shown(path, found), allowed=allowed)
        case _:
            layer.problem(path, error["msg"], found=shown(path, found), allowed=allowed)
    return path


def shown(path: KeyPath, value: Any) -> str:
    """A value as the user wrote it, short; nothing of a password, its hash or a token."""
    if any(path[: len(secret)] == secret for secret in _SECRET_SECTIONS):
        return ""
    text = without_userinfo(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _suggestion(path: KeyPath) -> str:
    """`; did you mean …?` where a sibling is spelt alike, or the same name stands elsewhere."""
    name = str(path[-1])
    near = difflib.get_close_matches(name.replace("-", "_").lower(), names_in(path[:-1]), n=1)
    if not near:
        near = [key.name for key in all_keys() if key.path[-1] == name][:1]
    return f"; did you mean {near[0]}?" if near else ""
