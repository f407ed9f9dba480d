"""One child process: start, read what it says, stop for sure."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

_LINE_BYTES = 64 * 1024
_KILLED_SECONDS = 5.0
_REST_SECONDS = 1.0
"""How long lines that a process left behind are read, if somebody outside its group still holds its output."""


@dataclass(frozen=True)
class Command:
    """How to start a process. Its standard input is a pipe that stays open for as long as its supervisor lives."""

    name: str
    arguments: tuple[str, ...]


class _Exit(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the process itself has ended; asyncio's own wait goes on while an orphan holds one of its pipes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_LINE_BYTES, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        """Called by asyncio, once."""
        super().process_exited()
        self.exited.set()


class ChildProcess:
    """A started process, in a session of its own: Ctrl-C in the terminal reaches its supervisor alone.

    ``said`` gets every line of its standard output and error.
    """

    def __init__(self, command: Command, said: Callable[[str], None]) -> None:
        self._command = command
        self._said = said
        self._process: asyncio.subprocess.Process | None = None
        self._exited = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        process = self._process
        return None if process is None or process.returncode is not None else process.pid

    async def start(self) -> None:
        """Start it; raises ``OSError`` when that is not possible."""
        loop = asyncio.get_running_loop()
        self._transport, protocol = await loop.subprocess_exec(
            lambda: _Exit(loop),
            *self._command.arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._process, self._exited = asyncio.subprocess.Process(self._transport, protocol, loop), protocol.exited

    async def wait(self) -> int:
        """Hand its lines on until it ends; returns the exit status. Cancelled, it goes on running.

        What it has started in its own group ends with it: an orphan that holds its output open is not waited for.
        """
        process = self._running()
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._hand_on(process), name=f"lines of {self._command.name}")
            await self._exited.wait()
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait({reading}, timeout=_REST_SECONDS)
            reading.cancel()
        self._transport.close()
        assert process.returncode is not None  # noqa: S101 - this is a bug: it has ended
        return process.returncode

    async def stop(self, seconds: float) -> bool:
        """SIGTERM, then SIGKILL to its whole session after ``seconds``. Whether it ended by itself.

        Does not return before it is gone. Cancelled, it is killed at once.
        """
        process = self._running()
        if process.returncode is not None:
            return True
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            self.kill()
            await asyncio.wait_for(self._exited.wait(), _KILLED_SECONDS)
            return False
        except asyncio.CancelledError:
            self.kill()
            raise
        return True

    def kill(self) -> None:
        """SIGKILL to it and to what it has started."""
        process = self._running()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    async def _hand_on(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - this is a bug: a pipe was asked for
        while line := await _line(process.stdout):
            self._said(line.decode(errors="replace").rstrip("\r\n"))

    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None  # noqa: S101 - this is a bug: used before start
        return self._process


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; one that is too long comes in pieces. Empty at the end."""
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as long:
        return await stream.readexactly(long.consumed)
