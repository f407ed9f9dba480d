"""A run while it goes on, on the terminal; a line now and then where there is none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.table import Table

from podium.bench.progress import Progress
from podium.bench.sampling import Sample, tokens_per_second
from podium.cli import output
from podium.cli.durations import duration_text

LINE_SECONDS = 5.0


@contextlib.contextmanager
def watching(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A function to show progress with. ``quiet``: standard output is for a program; lines on standard error."""
    if quiet or not output.can_draw():
        yield _Lines().show
        return
    with output.screen() as screen:
        yield lambda progress: screen.show(picture(progress))


class _Lines:
    def __init__(self) -> None:
        self._said = 0.0

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_SECONDS:
            self._said = now
            output.note(line(progress))


def line(progress: Progress) -> str:
    """The state in one line."""
    failed = f", {progress.failed} failed" if progress.failed else ""
    part = "warm-up, " if progress.warming_up else ""
    return (
        f"{part}{progress.seconds:.0f} of {progress.of_seconds:.0f} s: {progress.begun} sent, {progress.ended} ended"
        f"{failed}, {progress.in_flight} in flight, {progress.ended_per_second:.1f}/s, first byte p50 "
        f"{_ms(progress.first_bytes, 50)}{_server(progress)}"
    )


def _server(progress: Progress) -> str:
    words = beside(progress.samples).get("the server")
    return f"; the server: {words}" if words else ""


def picture(progress: Progress) -> Table:
    """The state as a small table."""
    grid = Table.grid(padding=(0, 2))
    left = max(0.0, progress.of_seconds - progress.seconds)
    state = "warm-up" if progress.warming_up else "measuring" if left else "waiting for the last answers"
    grid.add_row("", f"{state}, {duration_text(progress.seconds)} gone, {duration_text(left)} to go")
    asked = f" of {progress.asked} planned until now" if progress.asked else ""
    grid.add_row("sent", f"{progress.begun}{asked}, {progress.begun_per_second:.1f}/s")
    grid.add_row("ended", f"{progress.ended}, {progress.ended_per_second:.1f}/s")
    grid.add_row("failed", f"{progress.failed} so far; errors inside streams are counted at the end")
    grid.add_row("in flight", str(progress.in_flight))
    grid.add_row("first byte", _three(progress.first_bytes))
    grid.add_row("end to end", _three(progress.e2es))
    grid.add_row("sent late by", _three(progress.delays))
    for name, words in beside(progress.samples).items():
        grid.add_row(name, words)
    return grid


def beside(samples: Sequence[Sample]) -> dict[str, str]:
    """What host and server said last; nothing of a server that says nothing."""
    if not samples:
        return {}
    last = samples[-1]
    found = {"this host": f"processors {last.cpu_ratio:.0%}, memory {last.memory_ratio:.0%}"}
    rates = tokens_per_second(samples)
    said = {
        "running": None if last.running is None else f"{last.running:g}",
        "waiting": None if last.waiting is None else f"{last.waiting:g}",
        "KV cache": None if last.kv_cache_ratio is None else f"{last.kv_cache_ratio:.0%}",
        "tokens/s": f"{rates[-1][1]:.0f}" if rates else None,
    }
    server = ", ".join(f"{name} {words}" for name, words in said.items() if words is not None)
    return found | ({"the server": server} if server else {})


def _three(samples: Sequence[float]) -> str:
    return ", ".join(f"p{percent} {_ms(samples, percent)}" for percent in (50, 95, 99))


def _ms(samples: Sequence[float], percent: float) -> str:
    return f"{float(np.percentile(samples, percent)) * 1000:.1f} ms" if samples else "-"
