"""The history file that a command means: the one that is named, or the configured one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import settings_from

HistoryArgument = Annotated[
    Path | None, typer.Argument(help="A controller's history; that of the configuration if left out.", metavar="FILE")
]


def history_file(given: Path | None, config: Path | None) -> Path:
    """``given``, else `rollout.history_file`. Raises Failure when there is no such file."""
    file = given if given is not None else Path(settings_from(config).settings.rollout.history_file)
    if not file.is_file():
        raise Failure(f"{file}: no such file; the first rollout makes one where the controller runs", ExitCode.USAGE)
    return file
