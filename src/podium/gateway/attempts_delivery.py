"""From gateways elsewhere to their controller: lines of their attempts logs, over gRPC.

Each gateway sends pieces of its log and goes on when one is confirmed: what was confirmed is in the controller's file.
A piece may come twice when a connection breaks in between; lines have keys, so that nobody counts one twice in a
rollout. Clocks are the gateways' own, as in the lines.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import grpc
import msgspec
import structlog

from podium.aio import tasks

log = structlog.get_logger(__name__)

SERVICE = "podium.gateway.Attempts"
METHOD = "Deliver"
_PAUSE_SECONDS = 0.2
_RETRY_SECONDS = 0.5
_PIECE_BYTES = 1024 * 1024  # gRPC takes 4 MiB at once
MOST_BYTES = 64 * 1024 * 1024
CONFIRMED = b"\x01"
_OPTIONS = [("grpc.max_reconnect_backoff_ms", 2000), ("grpc.keepalive_time_ms", 10_000)]


class Piece(msgspec.Struct, frozen=True):
    """Whole lines. ``seen_until``: all that was written before, in seconds since 1970, is in what was sent; or None."""

    lines: bytes
    seen_until: float | None = None


class AttemptsIntake:
    """The controller's side: appends to the file ``path`` what comes in. ``handler`` is for its gRPC server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._seen: dict[object, float | None] = {}
        self.handler = grpc.method_handlers_generic_handler(
            SERVICE, {METHOD: grpc.stream_stream_rpc_method_handler(self._take)}
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def reopen(self) -> None:
        """Go on in a new file, after the present one was renamed."""
        before, self._file = self._file, self._path.open("ab", buffering=0)
        before.close()

    @property
    def seen_until(self) -> float | None:
        """Until when everything of every connected gateway has come; None while that is not known, or none is there."""
        known = [moment for moment in self._seen.values() if moment is not None]
        return min(known) if known and len(known) == len(self._seen) else None

    async def _take(self, pieces: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        gateway = object()
        self._seen[gateway] = None
        try:
            async for message in pieces:
                piece = msgspec.msgpack.decode(message, type=Piece)
                self._file.write(piece.lines)
                if piece.seen_until is not None:
                    self._seen[gateway] = piece.seen_until
                yield CONFIRMED
        finally:
            del self._seen[gateway]


class AttemptsSender:
    """The gateway's side: follows the file ``path`` and sends it to the controller at ``address`` (``host:port``).

    ``reopen`` makes Envoy go on in a new file, once half of ``most_bytes`` of the present one was sent; the rest of
    the old one is sent first. What is written while the controller is away is sent when it is back, up to two files of
    ``most_bytes``.
    """

    def __init__(
        self, path: Path, address: str, *, reopen: Callable[[], Awaitable[None]], most_bytes: int = MOST_BYTES
    ) -> None:
        self._path = path
        self._address = address
        self._reopen = reopen
        self._most_bytes = most_bytes
        self._position = 0
        self._file: BinaryIO | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        bound = tasks.start(self._keep_short(), name="attempts log")
        try:
            while True:
                try:
                    async with grpc.aio.insecure_channel(self._address, options=_OPTIONS) as channel:
                        await self._send(channel.stream_stream(f"/{SERVICE}/{METHOD}")(wait_for_ready=True))
                except (grpc.aio.AioRpcError, asyncio.InvalidStateError, EOFError) as error:
                    log.warning("attempts wait for the controller", reason=type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)
        finally:
            await tasks.stop(bound)
            if self._file is not None:
                self._file.close()

    async def _keep_short(self) -> None:
        """Also while nobody takes the lines: then the oldest are lost, rather than the disk filled."""
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            if self._path.exists() and self._path.stat().st_size >= self._most_bytes:
                await self._replace()

    async def _send(self, call: Any) -> None:
        while True:
            if self._file is not None or self._path.exists():  # Envoy makes it when it begins
                self._file = self._file or self._path.open("rb")
                was_replaced = self._was_replaced(self._file)
                await self._send_rest(call, self._file)
                if was_replaced:
                    self._file.close()
                    self._file, self._position = None, 0
                    continue  # before the next one is replaced too
                if self._position >= self._most_bytes // 2:
                    await self._replace()
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _send_rest(self, call: Any, file: BinaryIO) -> None:
        while True:
            moment = time.time()
            file.seek(self._position)
            data = file.read(_PIECE_BYTES)
            lines = data[: data.rfind(b"\n") + 1]
            await call.write(msgspec.msgpack.encode(Piece(lines, None if lines else moment)))
            if await call.read() != CONFIRMED:
                raise EOFError  # the controller ended the call
            self._position += len(lines)
            if not lines:
                return

    def _was_replaced(self, file: BinaryIO) -> bool:
        """Whether Envoy writes into another file by now, and so no more into this one."""
        try:
            return self._path.stat().st_ino != os.fstat(file.fileno()).st_ino
        except FileNotFoundError:
            return False

    async def _replace(self) -> None:
        if self._path.exists():
            self._path.replace(self._path.with_suffix(".old"))
        try:
            await self._reopen()
        except OSError as error:
            log.warning("the attempts log could not be reopened", reason=type(error).__name__)
