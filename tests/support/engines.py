"""Engines for tests: a running echo engine, and the ways to drive it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from podium.config.engine import EchoEngine
from podium.core.generation import SamplingParams, TextPrompt
from podium.engine.flight import Flight
from podium.engine.handle import EngineHandle
from podium.engine.messages import Load
from podium.engine.process import WorkerCommand


def echo_handle(
    *, stall_seconds: float = 20.0, heartbeat_seconds: float = 0.1, limit_seconds: float = 60.0, **settings: Any
) -> EngineHandle:
    """An echo engine in a worker process, not started yet."""
    config = EchoEngine(faults=True, **settings)
    load = Load(model_dir="none", engine=config.model_dump(), heartbeat_seconds=heartbeat_seconds)
    command = WorkerCommand(name="echo", environment=dict(os.environ))
    return EngineHandle(
        command, load, stall_seconds=stall_seconds, load_seconds=limit_seconds, report=lambda _stage, _ratio: None
    )


@asynccontextmanager
async def running_echo(**settings: Any) -> AsyncIterator[EngineHandle]:
    """A started echo engine, ended afterwards."""
    handle = echo_handle(**settings)
    await handle.start()
    try:
        yield handle
    finally:
        await handle.close()


def submit(handle: EngineHandle, text: str, **sampling: Any) -> Flight:
    """Start a generation of ``text``."""
    return handle.submit(TextPrompt(text), SamplingParams(**sampling), default_max_tokens=1000)


async def text_of(flight: Flight) -> str:
    """The whole text; raises the error that ends it."""
    return "".join([chunk.text async for chunk in flight])
