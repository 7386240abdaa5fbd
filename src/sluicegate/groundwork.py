"""What every process of the proxy stands on, before there is anything to serve: the state directory, the log, the admin's token."""

import os
from pathlib import Path

from sluicegate.admin.token_file import token_in
from sluicegate.clock import Clock
from sluicegate.config.models import Settings
from sluicegate.core.admin_token import AdminToken
from sluicegate.core.events import Level
from sluicegate.errors import StartError
from sluicegate.observe.log import Log, open_log


def make_state_dir(path: Path) -> None:
    """Make the state directory, for us alone, when there is none. Raises StartError."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(
            f"The state directory {path} cannot be made: {error.strerror}.",
            advice="Choose another with --state-dir or state_dir.",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise StartError(
            f"The state directory {path} cannot be written.", advice="Choose another with --state-dir or state_dir."
        )


def admin_token(settings: Settings) -> AdminToken:
    """The configured one, or else the state directory's own, made when there is none. Raises StartError."""
    configured = settings.admin_token
    return AdminToken(token_in(settings.state_dir) if configured is None else configured.get_secret_value())


def open_configured_log(settings: Settings, clock: Clock) -> Log:
    """The log as the configuration has it. Raises StartError."""
    log = settings.log
    return open_log(
        log.file,
        clock=clock,
        level=Level(log.level),
        fmt=log.format,
        rotate_size=log.rotate_size,
        rotate_keep=log.rotate_keep,
    )
