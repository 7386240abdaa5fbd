"""npm, whose `cafile` setting switches NODE_EXTRA_CA_CERTS off."""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from sluicegate.clients.trust import existing_path, merged_bundle
from sluicegate.proxy.authority import Authority

_VARIABLE = "npm_config_cafile"
_CAFILE_LINE = re.compile(r"^\s*cafile\s*=\s*(.*?)\s*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def npm_variables(authority: Authority, base: Mapping[str, str], *, cwd: Path) -> dict[str, str]:
    """`npm_config_cafile` with a merged file, if a `cafile` is in force; else nothing, as npm then reads node's.

    `cwd` is where npm will run, and where the search for the project's npmrc begins. Raises OSError.
    """
    named = _cafile_in_force(base, cwd)
    if named is None:
        return {}
    source = existing_path(named)
    return {_VARIABLE: str(merged_bundle(authority, (source,) if source else ()))}


def _cafile_in_force(base: Mapping[str, str], cwd: Path) -> str | None:
    for name in (_VARIABLE, _VARIABLE.upper()):
        if base.get(name):
            return base[name]
    for npmrc in _npmrc_files(base, cwd):
        try:
            found = _CAFILE_LINE.findall(npmrc.read_text(errors="replace"))
        except OSError:
            continue
        if found:
            value = found[-1].strip("\"'")
            return _PLACEHOLDER.sub(lambda match: base.get(match[1], match[0]), value)
    return None


def _npmrc_files(base: Mapping[str, str], cwd: Path) -> Iterator[Path]:
    """Project, user and global file, the strongest first."""
    yield next((place for place in (cwd, *cwd.parents) if (place / "package.json").exists()), cwd) / ".npmrc"
    yield Path(base.get("npm_config_userconfig") or Path(base.get("HOME", "~")).expanduser() / ".npmrc")
    if configured := base.get("npm_config_globalconfig"):
        yield Path(configured)
    elif node := shutil.which("node", path=base.get("PATH", os.defpath)):
        yield Path(node).resolve().parent.parent / "etc" / "npmrc"
