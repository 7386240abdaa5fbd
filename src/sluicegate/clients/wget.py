"""wget, which takes a CA from no variable, only from a wgetrc."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from sluicegate.clients.trust import existing_path, merged_bundle
from sluicegate.files import write_atomically
from sluicegate.proxy.authority import Authority

_VARIABLE = "WGETRC"
_OURS = frozenset({"cacertificate", "httpproxy", "httpsproxy", "useproxy"})
"""Commands of the user's file that are left out: the first is merged into ours, the others would beat the variables."""

_COMMAND = re.compile(r"^\s*([\w-]+)\s*=\s*(.*?)\s*$")


def wget_variables(authority: Authority, base: Mapping[str, str]) -> dict[str, str]:
    """`WGETRC` with a file that says what the user's own wgetrc says, and names the merged CA file.

    The file may hold the user's passwords, so only the user can read it (0600). Raises OSError.
    """
    own = existing_path(base.get(_VARIABLE) or str(Path(base.get("HOME", "~")).expanduser() / ".wgetrc"))
    lines = own.read_text(errors="surrogateescape").splitlines() if own and own.is_file() else []
    named = [value for command, value in map(_parse, lines) if command == "cacertificate"]
    source = existing_path(named[-1]) if named else None
    bundle = merged_bundle(authority, (source,) if source else ())
    kept = [line for line in lines if _parse(line)[0] not in _OURS]
    content = "\n".join([*kept, f"ca_certificate = {bundle}", ""])
    target = _target(authority, own if lines else None)
    write_atomically(target, content.encode(errors="surrogateescape"), mode=0o600)
    return {_VARIABLE: str(target)}


def _parse(line: str) -> tuple[str, str]:
    """A line's command, spelled in the one way that wget sees in all its spellings, and its value."""
    match = _COMMAND.match(line)
    return (re.sub(r"[-_]", "", match[1]).lower(), match[2]) if match else ("", "")


def _target(authority: Authority, own: Path | None) -> Path:
    if own is None:
        return authority.confdir / "wgetrc"
    if own.parent == authority.confdir:
        return own
    return authority.confdir / f"wgetrc-{hashlib.sha256(str(own).encode()).hexdigest()[:12]}"
