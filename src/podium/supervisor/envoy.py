"""Envoy as a child: how it is started, when it is ready, and how it lets go of its clients."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import httpx
import structlog

from podium.config.gateway import Gateway
from podium.controller.run_folder import RunFolder
from podium.gateway.admin import EnvoyAdmin
from podium.gateway.bootstrap import bootstrap
from podium.supervisor.process import Command

log = structlog.get_logger(__name__)

NAME = "gateway"
DRAIN_TIME_SECONDS = 5
"""After this long in a drain, new connections are refused."""
FLUSH_MILLISECONDS = 100  # of the attempts log; ten seconds by default
_PAUSE_SECONDS = 0.05


def envoy_command(binary: Path, folder: RunFolder, gateway: Gateway) -> Command:
    """The command that runs Envoy for ``folder``, whose bootstrap it writes."""
    text = bootstrap(
        xds_socket=folder.discovery_socket, admin_socket=folder.admin_socket, max_connections=gateway.max_connections
    )
    folder.bootstrap.write_text(text, encoding="utf-8")
    tether = (sys.executable, "-m", "podium.supervisor.tether", str(os.getpid()))
    return Command(NAME, (*tether, *envoy_words(binary, folder, gateway)))


def envoy_words(binary: Path, folder: RunFolder, gateway: Gateway) -> tuple[str, ...]:
    """The words that run Envoy with the bootstrap of ``folder``."""
    threads = gateway.envoy_threads or len(os.sched_getaffinity(0))
    flags = {
        "--config-path": str(folder.bootstrap),
        "--concurrency": str(threads),
        "--drain-time-s": str(DRAIN_TIME_SECONDS),
        "--file-flush-interval-msec": str(FLUSH_MILLISECONDS),
        "--log-level": "warning",
    }
    words = [word for flag in flags.items() for word in flag]
    return (str(binary), "--disable-hot-restart", *words)


async def drain(admin: EnvoyAdmin, *, seconds: float) -> None:
    """Send clients away, and return when no request is active, or after ``seconds``."""
    try:
        async with asyncio.timeout(seconds):
            await admin.begin_drain()
            while active := await admin.active_requests():
                log.debug("gateway draining", active=active)
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        log.warning("the gateway still has requests; they are ended", after_seconds=seconds)
    except httpx.HTTPError as error:
        log.warning("the gateway cannot be asked to drain", reason=type(error).__name__)
