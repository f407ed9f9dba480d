"""Log lines on their way out: a thread writes them, so that a reader that stands still stops nobody.

Standard error is a pipe in most deployments, and a pipe whose reader hangs is full after 64 KiB: whoever writes to it
then waits, and on the event loop that is every request and every probe. So lines wait here, up to a limit; above it
they are dropped and counted.
"""

from __future__ import annotations

import atexit
import os
import select
import threading
import time
from collections import deque
from typing import TextIO

WAITING_BYTES = 1024 * 1024
"""Most that waits: some 3,000 requests' lines."""
TOGETHER_SECONDS = 0.01
"""Lines that come within this time are written together: one wake-up for all of them."""
_WRITE_BYTES = 64 * 1024
"""About what a pipe holds: a reader that is slow makes room soon."""
LAST_SECONDS = 2.0
"""How long the end of the process waits for a reader."""


class LogWriter:
    """A text stream for one descriptor. ``write`` takes whole lines and never waits; it may be called by any thread."""

    def __init__(self, descriptor: int, waiting_bytes: int = WAITING_BYTES) -> None:
        self._descriptor = descriptor
        self._most = waiting_bytes
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._empty = threading.Event()
        self._empty.set()
        self._thread: threading.Thread | None = None
        self._over = False
        self.records = 0
        self.dropped = 0

    def write(self, text: str) -> int:
        """Take one record, or drop it when too much waits already."""
        line = text.encode(errors="backslashreplace")  # lone surrogates are no UTF-8
        with self._lock:
            self.records += 1
            if self._size and self._size + len(line) > self._most:
                self.dropped += 1
                return len(text)
            self._lines.append(line)
            self._size += len(line)
            self._empty.clear()
            if self._thread is None:
                self._thread = threading.Thread(target=self._go_on, name="log writer", daemon=True)
                self._thread.start()
        self._news.set()
        return len(text)

    def flush(self) -> None:
        """Nothing: the thread writes as soon as it can."""

    def drain(self, seconds: float = LAST_SECONDS) -> bool:
        """Wait until everything is written; False: the reader did not take it in time."""
        return self._empty.wait(seconds)

    def close(self) -> None:
        """Write what waits, however long the reader takes; then end the thread and close the descriptor."""
        self._over = True
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        os.close(self._descriptor)

    def _go_on(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            while lines := self._next_lines():
                self._write_all(lines)
                with self._lock:
                    self._size -= sum(map(len, lines))
                    if not self._lines:
                        self._empty.set()
            if self._over and self._empty.is_set():
                return
            time.sleep(TOGETHER_SECONDS)

    def _next_lines(self) -> list[bytes]:
        found, size = [], 0
        with self._lock:
            while self._lines and size < _WRITE_BYTES:
                found.append(self._lines.popleft())
                size += len(found[-1])
        return found

    def _write_all(self, lines: list[bytes]) -> None:
        """What nobody can read any more (the reader is gone, the disk is full) is let go, and counted."""
        left = memoryview(b"".join(lines))
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody who shares the file made it so
                select.select([], [self._descriptor], [])
            except OSError:
                self._count_lost(lines, len(left))
                return

    def _count_lost(self, lines: list[bytes], unwritten: int) -> None:
        for line in reversed(lines):
            if unwritten <= 0:
                return
            unwritten -= len(line)
            with self._lock:
                self.dropped += 1


_writers: list[LogWriter] = []


def writer_for(stream: TextIO) -> TextIO:
    """A writer for ``stream``'s file, which is drained when the process ends; a stream without a file is returned."""
    try:
        descriptor = os.dup(stream.fileno())  # our own: numbers of closed files are given away again
    except (OSError, ValueError):
        return stream
    writer = LogWriter(descriptor)
    _writers.append(writer)
    atexit.register(writer.drain)
    return writer  # type: ignore[return-value]  # loggers ask for write and flush


def counts() -> tuple[int, int]:
    """Records that this process was to write so far, and how many of them were dropped."""
    return sum(one.records for one in _writers), sum(one.dropped for one in _writers)
