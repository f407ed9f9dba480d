"""``podium rollout verify-log``: whether a history was changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import ConfigOption, JsonOption
from podium.cli.rollout.history_file import HistoryArgument, history_file
from podium.rollout.history import read, read_intervals, verify


def verify_log(file: HistoryArgument = None, *, config: ConfigOption = None, as_json: JsonOption = False) -> int:
    """Check a history: numbers, hashes, and that each event could follow the one before. The file may be in use.

    Note the last hashes somewhere else: a chain that was rewritten as a whole shows only by them.

    \b
    Exit status: 0 whole, 1 something is wrong, 2 when the file cannot be read.

    \b
    Examples:
      podium rollout verify-log
      podium rollout verify-log podium-rollouts.db --json
    """
    path = history_file(file, config)
    problems, events, intervals = _checked(path)
    document = {
        "file": str(path),
        "events": len(events),
        "last_event_hash": _last(events),
        "intervals": len(intervals),
        "last_interval_hash": _last(intervals),
        "problems": problems,
    }
    if as_json:
        output.document(document)
    elif problems:
        output.failure(f"{path}: {problems[0]}; what comes after it proves nothing")
    else:
        output.facts(document | {"problems": "none"})
    return ExitCode.FAILED if problems else ExitCode.OK


def _checked(file: Path) -> tuple[list[str], list[bytes], list[bytes]]:
    """What is wrong, and the hashes of events and intervals."""
    try:
        problems = verify(file)
        return problems, [entry.hash for entry in read(file)], [entry.hash for entry in read_intervals(file)]
    except sqlite3.Error as error:
        raise Failure(f"{file}: {error}; is that the history of a controller?", ExitCode.USAGE) from error


def _last(hashes: list[bytes]) -> str | None:
    return hashes[-1].hex() if hashes else None
