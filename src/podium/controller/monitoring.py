"""The monitor of this controller: what it watches follows from the settings, as the supervisor completed them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from podium.config.settings import Settings
from podium.gateway.admin import EnvoyAdmin
from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import catalog_of
from podium.monitor.fetching import SCRAPE_SECONDS, envoy_target, replica_target
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.target import Target


@asynccontextmanager
async def monitor_of(settings: Settings, admin: EnvoyAdmin) -> AsyncIterator[Monitor]:
    """A monitor that can watch every replica and the gateway while it is entered; its owner runs it."""
    environments = settings.gateway.environments
    catalog = catalog_of(environments, (model.name for model in settings.models))
    async with AsyncExitStack() as stack:
        limits = httpx.Limits(keepalive_expiry=60)
        client = httpx.AsyncClient(trust_env=False, timeout=SCRAPE_SECONDS, limits=limits)
        await stack.enter_async_context(client)
        targets: list[Target] = [envoy_target(admin, tuple(environments), catalog=catalog)]
        targets += [
            replica_target(f"{name}-{number}", name, address, client=client, catalog=catalog)
            for name, environment in environments.items()
            for number, address in enumerate(environment.metrics, 1)
        ]
        yield Monitor(targets, catalog, AlertBook(rules_of(settings.monitor)))
