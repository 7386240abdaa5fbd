"""The admin token of a state directory: made once, for its owner alone, the same for every process and after a restart."""

import os
import secrets
import stat
import tempfile
from pathlib import Path

from sluicegate.errors import StartError

FILE_NAME = "admin.token"
_BYTES = 32
_FOR_OTHERS = stat.S_IRWXO


def token_in(state_dir: Path) -> str:
    """The content of `admin.token`, made when there is none; the directory must exist. Raises StartError."""
    path = state_dir / FILE_NAME
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except OSError as error:
        raise StartError(
            f"The admin token in {path} cannot be used: {error.strerror or error}.",
            advice="Make the file yours and readable, or remove it: a new one is made at the next start.",
        ) from error


def _read(path: Path) -> str:
    mode = path.stat().st_mode
    if mode & _FOR_OTHERS:
        raise StartError(
            f"The admin token in {path} is open to every user of this machine (mode {stat.S_IMODE(mode):o}).",
            advice=f"Who has read it may use it: remove the file, and a new one is made. To keep it: chmod 600 {path}",
        )
    token = path.read_text("utf-8", "replace").strip()
    if len(token) < _BYTES or not token.isascii() or not token.isprintable() or " " in token:
        fault = "is empty" if not token else "is damaged"
        raise StartError(
            f"The admin token in {path} {fault}.",
            advice="Remove the file, and a new one is made at the next start; or set admin_token.",
        )
    if mode & stat.S_IRWXG:
        path.chmod(0o600)
    return token


def _make(path: Path) -> None:
    """Put a new token at `path`, whole and for its owner alone, unless another process has just done so."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
    finally:
        Path(temporary).unlink(missing_ok=True)
