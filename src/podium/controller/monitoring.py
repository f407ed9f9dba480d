"""The monitor of this controller: what it watches and whom it tells follow from the settings."""

from __future__ import annotations

import asyncio
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
from podium.monitor.claim import Claim
from podium.monitor.fetching import SCRAPE_SECONDS, envoy_target, own_target, recent_source, replica_target
from podium.monitor.monitor import Monitor
from podium.monitor.outbox import Outbox
from podium.monitor.own_metrics import ControlPlane, exposition
from podium.monitor.recent import RecentSource, RecentWatch
from podium.monitor.rules import rules_of
from podium.monitor.target import Target
from podium.monitor.view import MonitorView
from podium.monitor.webhooks import Deliveries, Receiver


@dataclass(frozen=True)
class Watch:
    """A monitor and what tells others of its alerts; ``view`` is for the routes."""

    monitor: Monitor
    deliveries: Deliveries
    recent: RecentWatch
    plane: ControlPlane
    objective: float

    @property
    def view(self) -> MonitorView:
        """What the monitoring routes show."""
        return MonitorView(self.monitor, self.deliveries, self.recent, plane=self.plane, objective=self.objective)

    async def run(self) -> None:
        """Watch and tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.monitor.run(), name="monitor rounds")
            group.create_task(self.deliveries.run(), name="alert deliveries")
            group.create_task(self.recent.run(), name="recent requests")


@asynccontextmanager
async def watch_of(settings: Settings, folder: RunFolder, admin: Gateways, plane: ControlPlane) -> AsyncIterator[Watch]:
    """A watch over every replica and the gateway, whose connections are open while it is entered."""
    environments = settings.gateway.environments
    catalog = catalog_of(environments, _model_names(settings, folder))
    async with AsyncExitStack() as stack:
        outside = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=None))  # noqa: S113 - each call has its own
        limits = httpx.Limits(keepalive_expiry=60)
        client = httpx.AsyncClient(trust_env=False, timeout=SCRAPE_SECONDS, limits=limits)
        await stack.enter_async_context(client)
        targets = [
            envoy_target(admin, tuple(environments), catalog=catalog),
            *_replicas(settings, client, catalog),
        ]
        kept = Path(settings.monitor.history_file) if settings.monitor.history_file else None
        claim = None if kept is None else Claim(kept)
        if claim is not None:
            stack.callback(claim.release)
        history = AlertHistory(kept, claim)
        outbox = Outbox(None if kept is None else kept.with_name(f"{kept.name}.waiting"), claim)
        past = history.load()
        receivers = [Receiver(given, outside, outbox) for given in settings.monitor.webhooks]
        outbox.keep_only({receiver.name for receiver in receivers})
        deliveries = Deliveries(receivers, firing=[episode for episode in past if episode.ended_at is None])

        def tell(episode: Episode) -> None:
            deliveries.tell(episode)  # first: told twice after a crash in between, rather than never
            history.note(episode)

        book = AlertBook(rules_of(settings.monitor), tell, past=past)
        recent = RecentWatch(_recent(settings, client))
        own = own_target(lambda: exposition(monitor, deliveries, plane), catalog=catalog)
        monitor = Monitor(targets, catalog, book, kept=(history, outbox), own=own)
        yield Watch(monitor, deliveries, recent, plane, settings.monitor.objective)


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
    key = _metrics_key(settings)
    return [
        replica_target(name, environment, address, client=client, catalog=catalog, key=key)
        for name, environment, address in _listed(settings)
    ]


def _recent(settings: Settings, client: httpx.AsyncClient) -> list[RecentSource]:
    key = _metrics_key(settings)
    return [recent_source(name, address, client=client, key=key) for name, _, address in _listed(settings)]


def _metrics_key(settings: Settings) -> str | None:
    return read_run_key(settings.access.metrics_key_file, "access.metrics_key_file")


def _listed(settings: Settings) -> list[tuple[str, str, str]]:
    """Every replica whose admin port is known: its name, environment and address."""
    return [
        (f"{name}-{number}", name, address)
        for name, environment in settings.gateway.environments.items()
        for number, address in enumerate(environment.metrics, 1)
    ]
