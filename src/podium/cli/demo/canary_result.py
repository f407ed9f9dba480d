"""The demonstration from its first process to its last word."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

from podium.cli import output
from podium.cli.demo.canary_performance import Performance, perform
from podium.cli.demo.canary_report import document, paragraphs
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.config.sources import forget_settings, read_environment
from podium.core.errors import PodiumError
from podium.demo.canary import Play
from podium.demo.fault_proxy import Fault

_LAST_LINES = 15


def show(fault: Fault, rate: float, rps: float, *, as_json: bool) -> ExitCode:
    """Perform it and say what was seen. ``rate``: the part of the canary's requests that fail, 0 to 1.

    Raises:
        KeyboardInterrupt: it was interrupted, also by SIGTERM; nothing is left behind.
    """
    play = Play(fault, rate, rps)
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
