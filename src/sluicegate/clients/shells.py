"""Variables in the notation of a shell or a tool."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    """Who will read the variables."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "powershell"
    DOCKER = "docker"
    GITHUB = "github"


def detect_format(base: Mapping[str, str]) -> Format:
    """The format of the shell that `$SHELL` names; sh for all that are not fish or PowerShell."""
    name = Path(base.get("SHELL", "sh")).name
    return {"fish": Format.FISH, "pwsh": Format.POWERSHELL}.get(name, Format.SH)


def render(variables: Mapping[str, str], form: Format) -> str:
    """The variables as text that sets them, a line each, in order of name. Raises ValueError (docker, line breaks)."""
    line = _LINES[form]
    return "".join(f"{line(name, value)}\n" for name, value in sorted(variables.items()))


def usage(form: Format, files: Sequence[str], *, command: str) -> str:
    """How to put the text to use. `files` are those the variables name; `command` is the line that printed it."""
    match form:
        case Format.SH:
            return f'eval "$({command})"'
        case Format.FISH:
            return f"{command} | source"
        case Format.POWERSHELL:
            return f"{command} | Out-String | Invoke-Expression"
        case Format.GITHUB:
            return f'{command} >> "$GITHUB_ENV"'
        case Format.DOCKER:
            mounts = " ".join(shlex.quote(f"--volume={file}:{file}:ro") for file in files)
            return f"{command} > proxy.env; docker run --network=host --env-file=proxy.env {mounts} IMAGE"


def named_files(variables: Mapping[str, str], directory: Path) -> list[str]:
    """The files under `directory` that the variables name: what a container has to see at the same place."""
    return sorted({value for value in variables.values() if Path(value).parent == directory})


def _sh(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    # Typographic quotes end a PowerShell string as well.
    quoted = "".join(character * 2 if character in "'‘’‚‛" else character for character in value)
    return f"$env:{name} = '{quoted}'"


def _docker(name: str, value: str) -> str:
    if "\n" in value:
        raise ValueError(f"{name} has a line break, which an --env-file cannot hold")
    return f"{name}={value}"


def _github(name: str, value: str) -> str:
    if "\n" not in value:
        return f"{name}={value}"
    delimiter = f"END_{os.urandom(8).hex()}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}"


_LINES: dict[Format, Callable[[str, str], str]] = {
    Format.SH: _sh,
    Format.FISH: _fish,
    Format.POWERSHELL: _powershell,
    Format.DOCKER: _docker,
    Format.GITHUB: _github,
}
