"""What a test leaves behind: threads, child processes, listening ports."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import threading
import time
from dataclasses import dataclass

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE_SECONDS = 0.02

# Threads and processes that belong to the whole run, not to one test.
_SHARED_THREADS = (
    "tqdm_monitor",  # tqdm's, started once by the first progress bar
    "(_poll_wrapper)",  # grpc.aio's, started once by the first server
)
_SHARED_PROGRAMS = ("multiprocessing.resource_tracker",)  # one for each Python process, ends with it


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that a leaked grandchild is seen (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@dataclass(frozen=True)
class Running:
    """Threads, child processes and listening ports of this process at one moment."""

    threads: frozenset[threading.Thread]
    children: frozenset[int]
    ports: frozenset[int]

    @classmethod
    def now(cls) -> Running:
        """What is there now."""
        return cls(
            frozenset(threading.enumerate()),
            frozenset(child.pid for child in psutil.Process().children()),
            frozenset(_listening_ports()),
        )

    def leaked_since(self, *, patience_seconds: float) -> list[str]:
        """What is new and does not go away within ``patience_seconds``, as sentences."""
        end = time.monotonic() + patience_seconds
        while True:
            leaks = self._new()
            if not leaks or time.monotonic() > end:
                return leaks
            time.sleep(_PAUSE_SECONDS)

    def end_new_children(self) -> None:
        """Kill what a test left running, so that it cannot disturb the next one."""
        for pid in self._new_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                leaked = psutil.Process(pid)
                for process in (*leaked.children(recursive=True), leaked):
                    process.kill()

    def _new(self) -> list[str]:
        threads = [t for t in threading.enumerate() if t not in self.threads and not t.name.endswith(_SHARED_THREADS)]
        ports = _listening_ports() - self.ports
        return [
            *(f"thread {thread.name!r} still runs" for thread in threads),
            *(f"process {pid} still runs: {command}" for pid, command in self._new_children().items()),
            *(f"port {port} still listens" for port in sorted(ports)),
        ]

    def _new_children(self) -> dict[int, str]:
        """Living new children by pid. New ones that have ended are reaped: they are orphans that came to us."""
        found = {}
        for child in psutil.Process().children():
            if child.pid in self.children:
                continue
            with contextlib.suppress(psutil.NoSuchProcess, ChildProcessError):
                if child.status() == psutil.STATUS_ZOMBIE:
                    os.waitpid(child.pid, os.WNOHANG)
                    continue
                command = " ".join(child.cmdline())
                if not any(program in command for program in _SHARED_PROGRAMS):
                    found[child.pid] = command
        return found


def _listening_ports() -> set[int]:
    listening = psutil.Process().net_connections(kind="inet")
    return {entry.laddr.port for entry in listening if entry.status == psutil.CONN_LISTEN}
