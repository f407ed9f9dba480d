"""``podium demo canary``: a bad version that leaves by itself, while no client sees a failure."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from podium.cli import output
from podium.cli.demo.canary_performance import Performance, perform
from podium.cli.demo.canary_report import document, paragraphs
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.options import JsonOption
from podium.config.sources import forget_settings, read_environment
from podium.core.errors import PodiumError
from podium.demo.canary import Play
from podium.demo.fault_proxy import Fault

_LAST_LINES = 15


def canary(
    *,
    fault: Annotated[
        Fault,
        typer.Option(
            "--fault",
            help="errors: 500s. slow: late. reset: broken connections. hang: silence. none: a good version.",
        ),
    ] = "errors",
    rate: Annotated[
        float, typer.Option("--rate", help="Part of the new version's requests that fail, in per cent.")
    ] = 20.0,
    rps: Annotated[float, typer.Option("--rps", help="Requests that the client sends a second.")] = 20.0,
    as_json: JsonOption = False,
) -> int:
    """Start gateway, controller and two versions here, send requests, break the new one, and watch it be taken back.

    Everything is real: Envoy, the servers (with an engine that repeats its prompt), the sockets that break, the client
    that counts. It takes less than two minutes, leaves nothing behind, and ends at once with Ctrl-C. Intervals are
    shorter and the allowed increase is larger than one would have in production.

    \b
    Exit status: 0 when the fault was answered by a rollback, or with --fault none by a promotion; else 1.
    With --json progress is on standard error, and the last line of standard output is the result.

    \b
    Examples:
      podium demo canary
      podium demo canary --fault hang --rate 50
      podium demo canary --fault none --json
    """
    _check(rate, rps)
    play = Play(fault, rate / 100, rps)
    forget_settings()  # those of somebody's own servers
    try:
        performance = asyncio.run(_performed(play, as_json=as_json))
    except asyncio.CancelledError:  # by SIGTERM
        raise KeyboardInterrupt from None
    if as_json:
        output.json_line(document(play, performance))
    else:
        for paragraph in paragraphs(play, performance):
            output.line("")
            output.prose(paragraph)
    return ExitCode.OK if performance.outcome == expected(play) else ExitCode.FAILED


def expected(play: Play) -> str:
    """What should come of it."""
    return "promoted" if play.fault == "none" else "rolled-back"


def _check(rate: float, rps: float) -> None:
    if not 0 < rate <= 100:
        raise Failure(f"--rate {rate:g}; needed: above 0, at most 100 (per cent)", ExitCode.USAGE)
    if not 1 <= rps <= 200:
        raise Failure(f"--rps {rps:g}; needed: 1 to 200", ExitCode.USAGE)


async def _performed(play: Play, *, as_json: bool) -> Performance:
    """Everything, ended by SIGTERM as by Ctrl-C: whatever was started is gone before this returns."""
    this = asyncio.current_task()
    assert this is not None, "this is a bug: a coroutine runs in a task"  # noqa: S101
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    with tempfile.TemporaryDirectory(prefix="podium-demo-") as folder:
        log = Path(folder) / "log.txt"
        with log.open("w", encoding="utf-8") as written_to:
            try:
                return await perform(play, Path(folder), read_environment(), written_to, as_json=as_json)
            except (Failure, PodiumError):
                _show_the_end_of(log)
                raise


def _show_the_end_of(log: Path) -> None:
    for line in log.read_text("utf-8", errors="replace").splitlines()[-_LAST_LINES:]:
        output.note(line)
