"""Where state belongs on each system."""

import sys
from collections.abc import Mapping
from pathlib import Path


def default_state_dir(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """The user's own directory for state: XDG on Linux and BSD, the native place on macOS and Windows."""
    if platform == "win32":
        base = _absolute(environ.get("LOCALAPPDATA")) or _home(environ) / "AppData" / "Local"
    elif platform == "darwin":
        base = _home(environ) / "Library" / "Application Support"
    else:
        base = _absolute(environ.get("XDG_STATE_HOME")) or _home(environ) / ".local" / "state"
    return base / "sluicegate"


def _home(environ: Mapping[str, str]) -> Path:
    return _absolute(environ.get("HOME")) or Path.home()


def _absolute(text: str | None) -> Path | None:
    """The path, unless it is unset or relative (which the XDG specification says to ignore)."""
    path = Path(text) if text else None
    return path if path is not None and path.is_absolute() else None
