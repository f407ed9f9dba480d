"""A set of served models on echo engines."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from podium.config.engine import EchoEngine
from podium.config.models import Model
from podium.config.server import Server
from podium.models.dispatch import Dispatcher
from podium.models.registry import Models
from podium.models.runnable import SourcePolicy
from podium.models.served import Surroundings

GIB = 1024**3


def echo_model(name: str, *, engine: dict[str, Any] | None = None, **settings: Any) -> Model:
    """A configured echo model."""
    return Model(name=name, source="none", engine=EchoEngine(faults=True, **(engine or {})), **settings)


@asynccontextmanager
async def serving(
    *configs: Model, budget_bytes: int = 64 * GIB, server: Server | None = None, roots: tuple[Path, ...] = ()
) -> AsyncIterator[tuple[Models, Dispatcher]]:
    """Models and their dispatcher, initial loads finished; everything is unloaded afterwards."""
    server = server or Server(heartbeat_seconds=0.1, drain_seconds=2.0)
    policy = SourcePolicy(roots=roots, cache_dir=Path("none"))
    environment = dict(os.environ)
    models = Models(configs, Surroundings(server, policy, environment), budget_bytes=budget_bytes)
    async with models:
        await models.initial_loads()
        yield models, Dispatcher(models, default_max_tokens=100, default_timeout_seconds=0.0)
