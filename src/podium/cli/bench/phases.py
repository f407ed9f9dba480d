"""``podium bench phases``: where the time went."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from podium.bench.phases import MEANINGS
from podium.bench.result import load_records
from podium.cli import output
from podium.cli.bench.joined_logs import GatewayLogOption, joined
from podium.cli.options import JsonOption

BAR_COLUMNS = 30


def phases(
    run: Annotated[Path, typer.Argument(help="Folder of a run.", metavar="DIR")],
    *,
    server_log: Annotated[Path, typer.Option("--server-log", help="The server's log, JSON lines.", metavar="FILE")],
    gateway_log: GatewayLogOption = None,
    as_json: JsonOption = False,
) -> None:
    """Join a run with the server's log by request id, and split each good request into phases that add up.

    Without the gateway's access log, network and gateway are one phase, the way.

    \b
    Examples:
      podium bench phases runs/a --server-log server.log
      podium bench phases runs/a --server-log up.log --gateway-log up.log
    """
    found = joined(load_records(run), server_log, gateway_log)
    if as_json:
        output.document(found)
        return
    whole = found.whole.mean or 0.0
    rows = []
    for name, part in found.parts.items():
        mean = part.mean or 0.0
        share = mean / whole if whole else 0.0
        bar = "█" * max(0, round(share * BAR_COLUMNS))
        p99 = (part.at(99) or 0.0) * 1000
        rows.append((name, f"{mean * 1000:.2f}", f"{p99:.2f}", f"{share:.1%}", bar, MEANINGS[name]))
    output.table(["phase", "mean ms", "p99 ms", "share", "", "what it is"], rows)
    output.line(
        f"{found.joined} of {found.of} good requests joined; {whole * 1000:.2f} ms on average from the planned time to "
        f"the last byte; parts miss the whole by {found.worst_gap * 1000:.3f} ms at most"
    )
    if found.impossible:
        output.warning(
            f"{found.impossible} requests took longer inside than others saw from outside; are the logs of this run?"
        )
