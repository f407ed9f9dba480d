"""``podium rollout verify-log``: whether a history was changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption
from podium.rollout.history import read, verify


def verify_log(
    file: Annotated[Path, typer.Argument(help="The history's SQLite file.", metavar="FILE")],
    *,
    as_json: JsonOption = False,
) -> int:
    """Check a history: numbers, hashes, and that each event could follow the one before. The file may be in use.

    Note the last hash somewhere else: a chain that was rewritten as a whole shows only by that.

    \b
    Exit status: 0 whole, 1 something is wrong; 2 when the file cannot be read.

    \b
    Examples:
      podium rollout verify-log rollouts.db
      podium rollout verify-log rollouts.db --json
    """
    problems, count, last = _checked(file)
    if as_json:
        output.document({"file": str(file), "events": count, "last_hash": last, "problems": problems})
    elif problems:
        output.failure(f"{file}: {problems[0]}; what comes after proves nothing")
    else:
        output.line(f"{file}: {count:,} events, each follows from the one before")
        output.line(f"last hash {last or 'none'}")
    return ExitCode.FAILED if problems else ExitCode.OK


def _checked(file: Path) -> tuple[list[str], int, str]:
    if not file.is_file():
        raise Failure(f"{file}: no such file; name the history of a controller", ExitCode.USAGE)
    try:
        problems, entries = verify(file), read(file)
    except sqlite3.Error as error:
        raise Failure(f"{file}: {error}; is that the history of a controller?", ExitCode.USAGE) from error
    return problems, len(entries), entries[-1].hash.hex() if entries else ""
