"""A process that is kept running: restarted with growing pauses until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from podium.aio.backoff import Backoff
from podium.core.errors import ConfigurationError
from podium.supervisor.process import ChildProcess, Command

log = structlog.get_logger(__name__)

WRONG_USAGE = 2  # exit status of a program whose configuration is unusable: trying again cannot help
FIRST_PAUSE_SECONDS = 0.2
MOST_PAUSE_SECONDS = 10.0
STEADY_SECONDS = 10.0
_PROBE_SECONDS = 0.05

Probe = Callable[[], Awaitable[bool]]


class KeptProcess:
    """``run`` keeps the process of ``command`` alive; ``probe`` tells whether it is ready; ``stop`` ends both.

    ``pauses`` are those between its end and its next start. ``restarted`` is called when it is started again.
    """

    def __init__(
        self,
        command: Command,
        probe: Probe,
        said: Callable[[str, str], None],
        *,
        pauses: Backoff | None = None,
        restarted: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = command.name
        self._command = command
        self._pauses = pauses or Backoff(FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS)
        self._probe = probe
        self._said = said
        self._restarted = restarted
        self._process: ChildProcess | None = None
        self._stopping = asyncio.Event()
        self._was_ready = False
        self._last_line = ""

    @property
    def pid(self) -> int | None:
        """Process id while there is a process."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Start the process, and start it again whenever it ends, until ``stop``.

        Raises ``ConfigurationError`` when it refuses its configuration before it was ever ready, or when it cannot be
        started the first time. Later that is a process that ended: a machine may be short of memory for a while.
        """
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._once()
            if self._stopping.is_set():
                return
            if status == WRONG_USAGE and not self._was_ready:
                raise ConfigurationError(f"{self.name} did not start: {self._last_line.removeprefix('error: ')}")
            if time.monotonic() - started > STEADY_SECONDS:
                self._pauses.reset()
            pause = self._pauses.next_seconds()
            log.error("process ended", process=self.name, status=status, restart_in_seconds=pause)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
            if not self._stopping.is_set():
                self._restarted()

    async def wait_ready(self) -> None:
        """Return when the probe passes."""
        while not await self._probe():  # noqa: ASYNC110 - another process has no event to wait for
            await asyncio.sleep(_PROBE_SECONDS)
        self._was_ready = True

    async def stop(self, seconds: float) -> None:
        """End it and do not start it again: politely for ``seconds``, then by SIGKILL."""
        self._stopping.set()
        if self._process is None or self._process.pid is None:
            return
        if not await self._process.stop(seconds):
            log.error("process killed", process=self.name, after_seconds=seconds)

    def kill(self) -> None:
        """End it at once, if it runs."""
        self._stopping.set()
        if self._process is not None and self._process.pid is not None:
            self._process.kill()

    async def _once(self) -> int | None:
        """Its exit status; None where it could not be started again."""
        process = ChildProcess(self._command, self._heard)
        try:
            await process.start()
        except OSError as error:
            if self._process is None:
                raise ConfigurationError(f"{self.name} cannot be started: {error.strerror}") from error
            log.error("process cannot be started", process=self.name, reason=error.strerror)  # noqa: TRY400 - told
            return None
        self._process = process
        try:
            if self._stopping.is_set():  # told to while the process started
                process.kill()
            return await process.wait()
        except asyncio.CancelledError:
            await process.stop(0)
            raise

    def _heard(self, line: str) -> None:
        if line.strip():
            self._last_line = line
        self._said(self.name, line)
