"""Follows the attempts log, and replaces the file before it fills the disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx
import structlog

from podium.gateway.admin import Gateways
from podium.gateway.attempts import Attempt, AttemptsLog

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.2
MOST_BYTES = 64 * 1024 * 1024


class Watcher(Protocol):
    """Somebody who wants to know what became of attempts."""

    def take(self, attempts: list[Attempt]) -> None:
        """Lines in the order in which Envoy wrote them."""

    def caught_up(self, at: float) -> None:
        """Everything that was in the file at ``at``, in seconds since 1970, has been taken."""


class AttemptsReader:
    """Reads what Envoy writes, several times a second; keeps the present file and the one before."""

    def __init__(
        self,
        path: Path,
        attempts: AttemptsLog,
        admin: Gateways,
        *,
        watcher: Watcher | None = None,
        most_bytes: int = MOST_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._attempts = attempts
        self._admin = admin
        self._watcher = watcher
        self._most_bytes = most_bytes
        self._clock = clock

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            found = self._read()
            await self._replace_a_long_file()
            await asyncio.sleep(0 if found else PAUSE_SECONDS)  # a backlog keeps nobody else waiting

    def _read(self) -> bool:
        at = self._clock()
        found = self._attempts.read_lines()
        if self._watcher is not None:
            if found:
                self._watcher.take(found)
            else:
                self._watcher.caught_up(at)
        return bool(found)

    async def _replace_a_long_file(self) -> None:
        """Where Envoy could not be told of a replacement it goes on in the old file, and is told again."""
        old = self._path.with_suffix(".old")
        try:
            if self._path.exists():
                if self._path.stat().st_size < self._most_bytes:
                    return
                self._path.replace(old)
            elif not old.exists():
                return  # nothing was written yet
            await self._admin.reopen_logs()
        except (OSError, httpx.HTTPError) as error:
            log.warning("the attempts log could not be reopened", reason=type(error).__name__)
