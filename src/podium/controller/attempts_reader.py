"""Follows the attempts log, and replaces the file before it fills the disk."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import structlog

from podium.gateway.admin import EnvoyAdmin
from podium.gateway.attempts import AttemptsLog

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.2
MOST_BYTES = 64 * 1024 * 1024


class AttemptsReader:
    """Reads what Envoy writes, several times a second; keeps the present file and the one before."""

    def __init__(self, path: Path, attempts: AttemptsLog, admin: EnvoyAdmin, *, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._attempts = attempts
        self._admin = admin
        self._most_bytes = most_bytes

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            found = self._attempts.read()
            await self._replace_a_long_file()
            await asyncio.sleep(0 if found else PAUSE_SECONDS)  # a backlog keeps nobody else waiting

    async def _replace_a_long_file(self) -> None:
        try:
            if self._path.stat().st_size < self._most_bytes:
                return
            self._path.replace(self._path.with_suffix(".old"))
            await self._admin.reopen_logs()
        except FileNotFoundError:
            return
        except httpx.HTTPError as error:
            log.warning("the attempts log could not be reopened", reason=type(error).__name__)
