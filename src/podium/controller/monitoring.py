"""The monitor of this controller: what it watches and whom it tells follow from the settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from podium.access.run_keys import read_run_key
from podium.config.settings import Settings
from podium.config.sources import load
from podium.controller.run_folder import RunFolder
from podium.core.errors import ConfigurationError
from podium.gateway.admin import Gateways
from podium.monitor.alert_history import AlertHistory
from podium.monitor.alerts import AlertBook, Episode
from podium.monitor.catalog import Catalog, catalog_of
from podium.monitor.fetching import SCRAPE_SECONDS, envoy_target, replica_target
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.target import Target
from podium.monitor.view import MonitorView
from podium.monitor.webhooks import Deliveries, Receiver


@dataclass(frozen=True)
class Watch:
    """A monitor and what tells others of its alerts; ``view`` is for the routes."""

    monitor: Monitor
    deliveries: Deliveries
    objective: float

    @property
    def view(self) -> MonitorView:
        """What the monitoring routes show."""
        return MonitorView(self.monitor, self.deliveries, objective=self.objective)

    async def run(self) -> None:
        """Watch and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.monitor.run(), name="monitor rounds")
            group.create_task(self.deliveries.run(), name="alert deliveries")


@asynccontextmanager
async def watch_of(settings: Settings, folder: RunFolder, admin: Gateways) -> AsyncIterator[Watch]:
    """A watch over every replica and the gateway, whose connections are open while it is entered."""
    environments = settings.gateway.environments
    catalog = catalog_of(environments, _model_names(settings, folder))
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=None))  # noqa: S113 - each call has its own
        deliveries = Deliveries([Receiver(given, outside) for given in settings.monitor.webhooks])
        limits = httpx.Limits(keepalive_expiry=60)
        client = httpx.AsyncClient(trust_env=False, timeout=SCRAPE_SECONDS, limits=limits)
        await stack.enter_async_context(client)
        targets = [
            envoy_target(admin, tuple(environments), catalog=catalog),
            *_replicas(settings, client, catalog),
        ]
        kept = settings.monitor.history_file
        history = AlertHistory(Path(kept) if kept else None)

        def tell(episode: Episode) -> None:
            history.note(episode)
            deliveries.tell(episode)

        book = AlertBook(rules_of(settings.monitor), tell, past=history.load(time.time()))
        yield Watch(Monitor(targets, catalog, book, history=history), deliveries, settings.monitor.objective)


def _model_names(settings: Settings, folder: RunFolder) -> list[str]:
    """Names of what the servers of every environment were started with, in the order of the configuration."""
    names: list[str] = []
    for environment in settings.gateway.environments:
        try:
            told = load({}, folder.settings_of(environment), {}).settings
        except ConfigurationError:  # no local servers: nobody wrote it
            told = settings
        names += [model.name for model in told.models]
    return list(dict.fromkeys(names))


def _replicas(settings: Settings, client: httpx.AsyncClient, catalog: Catalog) -> list[Target]:
    key = read_run_key(settings.access.metrics_key_file, "access.metrics_key_file")
    return [
        replica_target(f"{name}-{number}", name, address, client=client, catalog=catalog, key=key)
        for name, environment in settings.gateway.environments.items()
        for number, address in enumerate(environment.metrics, 1)
    ]
