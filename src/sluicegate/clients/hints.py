"""Programs that no variable reaches: the one flag that helps each."""

from collections.abc import Sequence
from pathlib import Path

from sluicegate.clients.trust import merged_bundle
from sluicegate.proxy.authority import Authority


def hint_for(command: Sequence[str], authority: Authority) -> str | None:
    """The flag that `command` needs besides the environment, or None when it needs none or has it already."""
    program = Path(command[0]).name
    if program not in HINTS:
        return None
    flag, reason = HINTS[program]
    option = flag.split()[-1].partition("=")[0]
    if any(option in argument for argument in command[1:]):
        return None
    filled = flag.format(bundle=merged_bundle(authority), spki=authority.spki_sha256)
    return f"{program} {reason}; add {filled}"


_CHROMIUM = ("--ignore-certificate-errors-spki-list={spki}", "trusts a CA by its own database only")
_APT = ("-o Acquire::https::CaInfo={bundle}", "takes a CA from its own configuration only")

HINTS = {
    "aria2c": ("--ca-certificate={bundle}", "takes a CA from no variable"),
    "apt": _APT,
    "apt-get": _APT,
    "yt-dlp": ("--compat-options=no-certifi", "reads certifi before SSL_CERT_FILE"),
    "chromium": _CHROMIUM,
    "chromium-browser": _CHROMIUM,
    "google-chrome": _CHROMIUM,
}
"""Program name to the flag and the reason; `{bundle}` and `{spki}` are filled in."""
