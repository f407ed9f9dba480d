"""What the monitor of a controller watches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from podium.config.gateway import Environment, Gateway
from podium.config.models import Model
from podium.config.monitor import Monitor, Webhook
from podium.config.settings import Settings
from podium.controller.monitoring import Watch, watch_of
from podium.controller.plane_facts import PlaneFacts
from podium.controller.run_folder import RunFolder
from podium.gateway.admin import EnvoyAdmin
from podium.monitor.alerts import Alert, Episode
from podium.monitor.own_metrics import ControlPlane, NoControlPlane
from podium.monitor.windows import everything
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.state import Phase, RolloutState
from podium.supervisor.replicas import for_environment, plan_replicas, with_endpoints

FAR = Environment(endpoints=("http://10.0.0.7:8000", "http://10.0.0.8:8000"), metrics=("http://10.0.0.7:8001",))
OTHER = Model(name="other", source="none")


def watch(
    settings: Settings,
    folder: RunFolder,
    plane: ControlPlane | None = None,
    *,
    rounds: int = 0,
    act: Callable[[Watch], None] = lambda _: None,
) -> Watch:
    """The watch over what the supervisor would have started, after so many rounds and ``act``."""
    for environment in settings.gateway.environments:
        text = for_environment(settings, environment).model_dump_json()
        folder.settings_of(environment).write_text(text, encoding="utf-8")
    seen = with_endpoints(settings, plan_replicas(settings.gateway.environments))

    async def enter() -> Watch:
        async with (
            EnvoyAdmin(folder.admin_socket) as admin,
            watch_of(seen, folder, admin, plane or NoControlPlane()) as found,
        ):
            for _ in range(rounds):
                await found.monitor.round()
            act(found)
            return found

    return asyncio.run(enter())


def test_every_replica_with_known_metrics_and_the_gateway_are_watched(tmp_path: Path) -> None:
    environments = {"blue": Environment(replicas=2), "green": FAR}
    found = watch(Settings(gateway=Gateway(environments=environments)), RunFolder(tmp_path))
    assert [target.name for target in found.monitor.targets] == ["gateway", "blue-1", "blue-2", "green-1"]
    assert [source.replica for source in found.recent.sources] == ["blue-1", "blue-2", "green-1"]


def test_the_models_of_every_environment_have_figures(tmp_path: Path) -> None:
    environments = {"blue": Environment(replicas=1), "green": Environment(replicas=1, models=(OTHER,))}
    found = watch(Settings(gateway=Gateway(environments=environments)), RunFolder(tmp_path))
    assert found.monitor.windows.catalog.models == ("demo", "other")


FIRED = Episode(Alert("HighErrorRate", "page", "m", "firing", 1000.0, "too many", 0.5), fired_at=1000.0)


def test_what_fires_and_what_waits_goes_on_under_the_next_controller(tmp_path: Path) -> None:
    hook = Webhook(url="http://127.0.0.1:9/secret-address", kind="slack")
    file = tmp_path / "alerts.jsonl"
    settings = Settings(monitor=Monitor(webhooks=(hook,), history_file=str(file)))

    def goes_on(found: Watch) -> None:
        assert found.monitor.alerts.firing == [FIRED]
        assert found.deliveries.receivers[0]._waiting.qsize() == 1
        found.deliveries.tell(FIRED)
        assert found.deliveries.receivers[0]._waiting.qsize() == 1

    watch(settings, RunFolder(tmp_path), act=fires)
    watch(settings, RunFolder(tmp_path), act=goes_on)
    assert b"secret-address" not in file.with_name("alerts.jsonl.waiting").read_bytes()


def fires(found: Watch) -> None:
    found.monitor.alerts._begin(("HighErrorRate", "m"), FIRED.alert, 1000.0)


def test_a_second_controller_with_the_same_file_does_not_take_over_what_fires(tmp_path: Path) -> None:
    """It would find everything fine after a while, and tell people so."""
    hook = Webhook(url="http://127.0.0.1:9/")
    settings = Settings(monitor=Monitor(webhooks=(hook,), history_file=str(tmp_path / "alerts.jsonl")))

    def beside(found: Watch) -> None:
        fires(found)
        with ThreadPoolExecutor(1) as elsewhere:
            other = elsewhere.submit(watch, settings, RunFolder(tmp_path)).result()
        assert other.monitor.alerts.firing == []
        assert other.deliveries.receivers[0]._waiting.qsize() == 0
        assert [problem.subject for problem in other.monitor.problems] == ["disk", "disk"]
        assert "another controller" in other.monitor.problems[0].sentence

    watch(settings, RunFolder(tmp_path), act=beside)


def test_the_monitor_asks_its_own_controller_and_does_not_list_it(tmp_path: Path) -> None:
    class Plane:
        gateway_rejections = 3
        rollout_waiting_since = 1.0

    found = watch(Settings(), RunFolder(tmp_path), Plane(), rounds=1)
    windows = found.monitor.windows
    waited = windows.latest(everything("rollout_waiting_seconds"))
    assert waited is not None
    assert waited > 1e9
    assert windows.latest(everything("models_left_out")) == 0
    assert "controller" not in [target.name for target in found.monitor.targets]
    assert b"podium_gateway_rejections_total 3.0" in found.view.metrics()


def test_a_rollout_waits_since_it_was_held_or_since_its_traffic_should_be_gone() -> None:
    def waiting_since(state: RolloutState) -> float | None:
        history: Any = SimpleNamespace(state=state, problem=None)
        discovery: Any = SimpleNamespace(rejections=2)
        return PlaneFacts(discovery, history, clock=lambda: 100.0).rollout_waiting_since

    assert waiting_since(RolloutState()) is None
    assert waiting_since(RolloutState(phase=Phase.HELD, held_from=Phase.OBSERVING, phase_since=40.0)) == 40.0
    assert waiting_since(RolloutState(phase=Phase.ABORTING, deadline=130.0)) is None
    assert waiting_since(RolloutState(phase=Phase.ABORTING, deadline=70.0)) == 70.0


def test_a_history_that_cannot_be_read_waits_for_somebody_since_the_controller_began(tmp_path: Path) -> None:
    """Whether a rollout runs is not known then, so it is not told that none waits."""
    (tmp_path / "rollouts.db").write_bytes(b"no history" * 1000)
    discovery: Any = SimpleNamespace(rejections=0)
    with HistoryOnDemand(tmp_path / "rollouts.db") as history:
        seconds = iter((50.0, 90.0, 95.0))
        plane = PlaneFacts(discovery, history, clock=lambda: next(seconds))
        assert plane.rollout_waiting_since == 50.0


def test_each_webhook_is_a_receiver(tmp_path: Path) -> None:
    hooks = (Webhook(url="http://a.example/"), Webhook(url="http://b.example/"))
    found = watch(Settings(monitor=Monitor(webhooks=hooks)), RunFolder(tmp_path))
    assert [receiver.host for receiver in found.deliveries.receivers] == ["a.example", "b.example"]
