"""One child process: ``podium serve`` or ``podium up``, for whoever needs a server of its own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from podium.launch.log_file import LogFile

T = TypeVar("T")

_POLL_SECONDS = 0.02


class Child:
    """``podium WORDS``, running from the construction until ``end`` or ``kill``, one of which has to be called.

    It also ends when this program dies, however it dies: its standard input is a pipe, and it watches it. Its standard
    error is the file ``log``, which is made anew; its standard output is thrown away. Give it ports 0: a JSON log
    says in the record ``listening`` where it is, and no port that seemed free can have been taken meanwhile.
    """

    def __init__(self, *words: str, log: Path) -> None:
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "podium", *words, "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        self.log = LogFile(log)

    def until(self, probe: Callable[[], T | None], seconds: float) -> T | None:
        """The first truthy value of ``probe``, which is asked again and again.

        None when the process has ended, or after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not (value := probe()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                return None
            time.sleep(_POLL_SECONDS)
        return value

    def tree(self) -> list[psutil.Process]:
        """The process and everything that it has started; empty when it is gone."""
        if self.process.poll() is not None:
            return []  # its id may be somebody else's by now
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def end(self, seconds: float) -> None:
        """SIGTERM; after ``seconds``, SIGKILL to all that is left. Returns when it is gone."""
        self.process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and everything that it has started. Returns when it is gone."""
        for process in self.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self.process.stdin.close()  # type: ignore[union-attr]  # PIPE was asked for
