"""``podium bench phases``: where the time went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.bench.phases import MEANINGS, PHASES, phases_of
from podium.bench.result import load_records
from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption

BAR_COLUMNS = 30


def phases(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    *,
    server_log: Annotated[Path, typer.Option("--server-log", help="The server's log, JSON lines.", metavar="FILE")],
    as_json: JsonOption = False,
) -> None:
    """Join a run with the server's log by request id, and split each good request into phases that add up.

    \b
    Examples:
      podium bench phases runs/a --server-log server.log
    """
    try:
        with server_log.open(encoding="utf-8", errors="replace") as log:
            found = phases_of(load_records(run), log)
    except OSError as error:
        raise Failure(f"--server-log {server_log}: {error.strerror}", ExitCode.USAGE) from error
    if as_json:
        output.document(found)
        return
    whole = found.whole.mean or 0.0
    rows = []
    for name in PHASES:
        mean = found.parts[name].mean or 0.0
        share = mean / whole if whole else 0.0
        bar = "█" * max(0, round(share * BAR_COLUMNS))
        p99 = (found.parts[name].at(99) or 0.0) * 1000
        rows.append((name, f"{mean * 1000:.2f}", f"{p99:.2f}", f"{share:.1%}", bar, MEANINGS[name]))
    output.table(["phase", "mean ms", "p99 ms", "share", "", "what it is"], rows)
    output.line(
        f"{found.joined} of {found.of} good requests joined; {whole * 1000:.2f} ms on average from the planned time to "
        f"the last byte; parts miss the whole by {found.worst_gap * 1000:.3f} ms at most"
    )
    if found.impossible:
        output.warning(
            f"{found.impossible} requests took longer in the server than the client saw; is it the right log?"
        )
