"""What the monitor of a controller watches."""

from __future__ import annotations

import asyncio
from pathlib import Path

from podium.config.gateway import Environment, Gateway
from podium.config.models import Model
from podium.config.monitor import Monitor, Webhook
from podium.config.settings import Settings
from podium.controller.monitoring import Watch, watch_of
from podium.controller.run_folder import RunFolder
from podium.gateway.admin import EnvoyAdmin
from podium.supervisor.replicas import for_environment, plan_replicas, with_endpoints

FAR = Environment(endpoints=("http://10.0.0.7:8000", "http://10.0.0.8:8000"), metrics=("http://10.0.0.7:8001",))
OTHER = Model(name="other", source="none")


def watch(settings: Settings, folder: RunFolder) -> Watch:
    """The watch over what the supervisor would have started."""
    for environment in settings.gateway.environments:
        text = for_environment(settings, environment).model_dump_json()
        folder.settings_of(environment).write_text(text, encoding="utf-8")
    seen = with_endpoints(settings, plan_replicas(settings.gateway.environments))

    async def enter() -> Watch:
        async with EnvoyAdmin(folder.admin_socket) as admin, watch_of(seen, folder, admin) as found:
            return found

    return asyncio.run(enter())


def test_every_replica_with_known_metrics_and_the_gateway_are_watched(tmp_path: Path) -> None:
    environments = {"blue": Environment(replicas=2), "green": FAR}
    found = watch(Settings(gateway=Gateway(environments=environments)), RunFolder(tmp_path))
    assert [target.name for target in found.monitor.targets] == ["gateway", "blue-1", "blue-2", "green-1"]


def test_the_models_of_every_environment_have_figures(tmp_path: Path) -> None:
    environments = {"blue": Environment(replicas=1), "green": Environment(replicas=1, models=(OTHER,))}
    found = watch(Settings(gateway=Gateway(environments=environments)), RunFolder(tmp_path))
    assert found.monitor.windows.catalog.models == ("demo", "other")


def test_each_webhook_is_a_receiver(tmp_path: Path) -> None:
    hooks = (Webhook(url="http://a.example/"), Webhook(url="http://b.example/"))
    found = watch(Settings(monitor=Monitor(webhooks=hooks)), RunFolder(tmp_path))
    assert [receiver.host for receiver in found.deliveries.receivers] == ["a.example", "b.example"]
