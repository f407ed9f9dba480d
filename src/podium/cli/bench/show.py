"""``podium bench show``: a run that is over."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.bench.result import load
from podium.cli import output
from podium.cli.bench.summary_table import show_result
from podium.cli.exit_codes import ExitCode
from podium.cli.options import JsonOption


def show(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")], *, as_json: JsonOption = False
) -> int:
    """Print what a run found; exit status 20 when its figures must not be believed.

    \b
    Examples:
      podium bench show runs/2026-11-27T12-00-00
      podium bench show runs/2026-11-27T12-00-00 --json
    """
    result = load(run)
    if as_json:
        output.document(result)
    else:
        show_result(result, run)
    return ExitCode.OK if result.valid else ExitCode.INVALID_RUN
