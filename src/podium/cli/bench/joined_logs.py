"""The logs that a run is joined with."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TextIO

import typer

from podium.bench.phases import Phases, phases_of
from podium.bench.record import RequestRecord
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure

GatewayLogOption = Annotated[
    Path | None,
    typer.Option(
        "--gateway-log",
        help="The gateway's access log (gateway.access_log), to tell the network from the gateway. May be the same "
        "file.",
        metavar="FILE",
    ),
]


def joined(records: Sequence[RequestRecord], server_log: Path, gateway_log: Path | None) -> Phases:
    """Where the time of ``records`` went. Raises ``Failure`` for a log that cannot be read."""
    with ExitStack() as stack:
        server = stack.enter_context(_opened("--server-log", server_log))
        gateway = None if gateway_log is None else stack.enter_context(_opened("--gateway-log", gateway_log))
        return phases_of(records, server, gateway)


def _opened(option: str, path: Path) -> TextIO:
    try:
        return path.open(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Failure(f"{option} {path}: {error.strerror}; name a file that can be read", ExitCode.USAGE) from error
