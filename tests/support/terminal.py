"""A command on a terminal of its own: it sees one, and a test sees what it draws."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.command import PODIUM, environment


@dataclass
class OnTerminal:
    """A running command, and everything that it has drawn so far."""

    process: subprocess.Popen[bytes]
    drawn: bytearray = field(default_factory=bytearray)

    @property
    def text(self) -> str:
        """What was drawn, with the terminal's own marks in it."""
        return self.drawn.decode(errors="replace")


@contextmanager
def on_terminal(*arguments: str, cwd: Path) -> Iterator[OnTerminal]:
    """Run ``podium`` on a terminal; killed at the end of the block if it still runs."""
    ours, its = pty.openpty()
    process = subprocess.Popen([*PODIUM, *arguments], cwd=cwd, env=environment(), stdin=its, stdout=its, stderr=its)
    os.close(its)
    shown = OnTerminal(process)
    reader = threading.Thread(target=_read, args=(ours, shown), name="terminal")
    reader.start()
    try:
        yield shown
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(ours)


def _read(terminal: int, shown: OnTerminal) -> None:
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the last program on it has ended
            return
        if not piece:
            return
        shown.drawn += piece
