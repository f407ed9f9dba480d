"""Everything a command prints: results on standard output, everything else on standard error.

Names, reasons and answers come from elsewhere, so nothing in them is sent to a terminal that it would obey. What goes
to a file or a program as plain text goes as it is.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from rich.console import Console, ConsoleOptions, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table

from podium.core.terminal_text import visible, without_controls

_PIPE_COLUMNS = 200  # a pipe has no width; wide enough that rows stay on one line


def text(piece: str) -> None:
    """A piece of a result, as it is, at once and without a line end."""
    _write(visible(piece) if sys.stdout.isatty() else piece)


def line(words: str) -> None:
    """A line of a result."""
    text(words + "\n")


def document(value: Any) -> None:
    """A result as JSON, for programs (``--json``)."""
    line(json.dumps(msgspec.to_builtins(value), indent=2, ensure_ascii=False))


def json_line(value: Any) -> None:
    """A result as JSON in one line, where it is the last one of several."""
    line(json.dumps(msgspec.to_builtins(value), ensure_ascii=False))


def prose(words: str) -> None:
    """A paragraph for a person, in lines as wide as the terminal."""
    _console().print(words, markup=False, highlight=False)


def drawing(picture: RenderableType) -> None:
    """A picture for a person to look at."""
    _print(picture)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Rows for a person to read."""
    grid = Table(*columns, title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in grid.columns:
        column.overflow = "fold"
    for row in rows:
        grid.add_row(*(_cell(value) for value in row))
    _print(grid)


def facts(values: Mapping[str, object], *, title: str | None = None) -> None:
    """Named values for a person to read."""
    grid = Table.grid(padding=(0, 2))
    grid.title, grid.title_justify, grid.title_style = title, "left", "bold"
    for name, value in values.items():
        grid.add_row(name, _cell(value))
    _print(grid)


def note(words: str) -> None:
    """A remark beside the result, on standard error."""
    _console(stderr=True).print(words, markup=False, highlight=False, soft_wrap=True)


def warning(words: str) -> None:
    """Something that will matter later, on standard error."""
    _console(stderr=True).print(f"warning: {words}", style="yellow", markup=False, highlight=False, soft_wrap=True)


def failure(words: str) -> None:
    """Why the command failed, on standard error."""
    _console(stderr=True).print(f"error: {words}", style="red", markup=False, highlight=False, soft_wrap=True)


class Stage:
    """Shows what a long piece of work is doing; see ``stages``."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._said = ""

    def show(self, what: str, ratio: float = -1.0) -> None:
        """The present stage and its done ratio, 0 to 1; -1 when unknown."""
        total, done = (None, 0.0) if ratio < 0 else (1.0, ratio)
        self._progress.update(self._task, description=what, total=total, completed=done)
        if not self._progress.console.is_terminal and what != self._said:
            note(what)
        self._said = what


@contextmanager
def stages() -> Iterator[Stage]:
    """Progress of long work on standard error: a moving line on a terminal, one line for each stage elsewhere."""
    console = _console(stderr=True)
    look = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*look, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Stage(progress)


class Screen:
    """A part of the terminal that is drawn over and over; see ``screen``."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def show(self, picture: RenderableType) -> None:
        """Draw this in place of what was there."""
        self._live.update(picture, refresh=True)


def can_draw() -> bool:
    """Whether standard output is a terminal on which something can be drawn over."""
    return sys.stdout.isatty() and not _console().is_dumb_terminal


@contextmanager
def screen(*, whole: bool = False) -> Iterator[Screen]:
    """Something that changes, on the terminal that standard output is; its last state stays.

    ``whole``: it fills the terminal, and what stood there before comes back at the end.
    """
    with Live(console=_console(), auto_refresh=False, screen=whole) as live:
        yield Screen(live)


def byte_text(count: int | None) -> str:
    """A number of bytes for a person: ``1.3 GB``, or ``-`` when unknown."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit in {"B", "kB"} else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _print(grid: RenderableType) -> None:
    """Print without the spaces that fill up the last column."""
    console = _console()
    with console.capture() as captured:
        console.print(grid, markup=False, highlight=False)
    for row in captured.get().splitlines():
        _write(row.rstrip() + "\n")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "-"
    return str(value)


def _write(piece: str) -> None:
    sys.stdout.write(piece)
    sys.stdout.flush()


class _SafeConsole(Console):
    """Draws colours of its own, and no control characters of what it is given."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(without_controls(segment.text), segment.style)


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return _SafeConsole(stderr=stderr, width=None if stream.isatty() else _PIPE_COLUMNS)
