"""The monitor's rounds: figures of several targets together, gaps, and what is wrong with the figures."""

from __future__ import annotations

import asyncio

import pytest

from podium.config.monitor import Monitor as Thresholds
from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import Catalog, catalog_of
from podium.monitor.meaning import of_replica
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.target import Target
from podium.monitor.view import SPANS, MonitorView
from support.monitor import Clock, of_all, of_model


class Replica:
    """Counts requests; answers unless it is away."""

    def __init__(self) -> None:
        self.good = self.bad = 0
        self.away = False
        self.joules: float | None = None

    async def __call__(self) -> bytes:
        if self.away:
            raise OSError
        ended = f'podium_requests_total{{model="m",outcome="ok",route="/generate",version="1"}} {self.good}'
        failed = f'podium_requests_total{{model="m",outcome="server_error",route="/generate",version="1"}} {self.bad}'
        running = 'podium_model_running_sequences{model="m",version="1"} 2'
        ready = 'podium_model_state{model="m",state="ready",version="1"} 1'
        return f"{ready}\n{ended}\n{failed}\n{running}\n{self.gpu()}".encode()

    def gpu(self) -> str:
        """A GPU that takes 200 W, where there is one."""
        if self.joules is None:
            return ""
        self.joules += 200
        told = {"memory_used_bytes": 60, "memory_size_bytes": 80, "utilization_ratio": 0.5}
        told["energy_joules_total"] = self.joules
        return "".join(f'podium_gpu_{name}{{gpu="0"}} {value}\n' for name, value in told.items())


class Rounds:
    """A monitor of two replicas, and the clocks that it goes by."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self.clock, self.wall = Clock(1000.5), Clock(9e8)
        self.replicas = [Replica(), Replica()]
        catalog = catalog or catalog_of(["blue"], ["m"])
        targets = [
            Target(
                f"blue-{number}",
                "blue",
                "http://x",
                replica,
                lambda name, labels: of_replica("blue", name, labels),
                catalog,
                clock=self.clock,
                wall_clock=self.wall,
            )
            for number, replica in enumerate(self.replicas, 1)
        ]
        book = AlertBook(rules_of(Thresholds()))
        self.monitor = Monitor(targets, catalog, book, clock=self.clock, wall_clock=self.wall)

    def round(self, *, good: int = 0, seconds: float = 1.0) -> None:
        self.clock.now += seconds
        self.wall.now += seconds
        for replica in self.replicas:
            replica.good += good
        asyncio.run(self.monitor.round())


def test_replicas_are_added_up() -> None:
    rounds = Rounds()
    for _ in range(3):
        rounds.round(good=5)
    windows = rounds.monitor.windows
    assert windows.increase(of_all("good"), 60) == 20
    assert windows.latest(of_model("running")) == 4
    assert windows.latest(of_model("ready")) == 2


def test_when_nobody_answers_there_is_a_gap_and_not_a_zero() -> None:
    rounds = Rounds()
    for _ in range(4):
        rounds.round(good=5)
    for replica in rounds.replicas:
        replica.away = True
    for _ in range(4):
        rounds.round()
    answer = MonitorView(rounds.monitor).dashboard("5m")
    assert answer.models[0].good[-1] is None
    assert answer.models[0].running[-1] is None
    assert answer.models[0].good[-4] is not None
    assert [replica.state for replica in answer.replicas] == ["stale", "stale"]
    assert {problem.subject for problem in answer.problems} == {"blue-1", "blue-2"}
    assert answer.status == "degraded"


def test_what_was_counted_while_one_replica_was_away_is_counted_when_it_is_back() -> None:
    rounds = Rounds()
    rounds.round()
    rounds.replicas[0].away = True
    for _ in range(3):
        rounds.round(good=5)
    rounds.replicas[0].away = False
    rounds.round(good=5)
    assert rounds.monitor.windows.increase(of_all("good"), 60) == 2 * 4 * 5


def test_a_pause_of_the_monitor_itself_is_no_peak() -> None:
    rounds = Rounds()
    for _ in range(20):
        rounds.round(good=5)
    rounds.round(good=50, seconds=10.0)
    answer = MonitorView(rounds.monitor).dashboard("5m")
    assert answer.good[-1] == 10.0
    assert answer.good[-3] is None


def test_a_jump_of_the_time_of_day_moves_no_figure_and_is_told() -> None:
    rounds = Rounds()
    for _ in range(5):
        rounds.round(good=5)
    before = rounds.monitor.windows.increase(of_all("good"), 60)
    rounds.wall.now -= 3600
    rounds.round(good=5)
    assert rounds.monitor.windows.increase(of_all("good"), 60) == (before or 0) + 10
    (problem,) = rounds.monitor.problems
    assert problem.subject == "clock"
    assert "-3600 s" in problem.sentence
    alert = rounds.monitor.alerts.alerts[0]
    assert rounds.wall.now - alert.since == pytest.approx(rounds.clock.now - 1002.5)
    rounds.round(seconds=601)
    assert rounds.monitor.problems == []


def test_the_error_budget_is_told_over_each_window_and_nothing_is_said_of_no_requests() -> None:
    rounds = Rounds()
    for _ in range(3):
        rounds.round()
    assert MonitorView(rounds.monitor).dashboard("5m").budget.left is None
    rounds.round(good=100)
    for replica in rounds.replicas:
        replica.bad += 1
    rounds.round()
    budget = MonitorView(rounds.monitor, objective=0.98).dashboard("5m").budget
    assert [window.seconds for window in budget.windows] == [3600, 21600, 86400]
    assert {window.requests for window in budget.windows} == {202.0}
    assert budget.windows[0].bad_ratio == pytest.approx(2 / 202, abs=1e-6)
    assert budget.windows[0].burn_rate == pytest.approx(2 / 202 / 0.02, abs=1e-4)
    assert budget.left == pytest.approx(1 - 2 / 202 / 0.02, abs=1e-4)


def test_a_budget_says_how_much_of_its_window_is_known() -> None:
    rounds = Rounds()
    rounds.round()
    assert {window.requests for window in MonitorView(rounds.monitor).dashboard("5m").budget.windows} == {None}
    for _ in range(3):
        rounds.round(good=5)
    for replica in rounds.replicas:
        replica.away = True
    rounds.round()
    windows = MonitorView(rounds.monitor).dashboard("5m").budget.windows
    assert [window.known_seconds for window in windows] == [3.0, 4.0, 4.0]
    assert {window.requests for window in windows} == {30.0}


def test_a_monitor_that_stands_still_does_not_call_anything_healthy() -> None:
    rounds = Rounds()
    assert MonitorView(rounds.monitor).health().status == "unknown"
    rounds.round()
    assert MonitorView(rounds.monitor).health().status == "healthy"
    rounds.clock.now += 6
    health = MonitorView(rounds.monitor).health()
    assert (health.status, health.age_seconds) == ("unknown", 6)


def test_an_alert_that_pages_is_unhealthy_and_says_why() -> None:
    rounds = Rounds()
    for replica in rounds.replicas:
        replica.away = True
    for _ in range(12):
        rounds.round()
    health = MonitorView(rounds.monitor).health()
    assert health.status == "unhealthy"
    assert any(issue.startswith("ReplicaDown blue-1") for issue in health.issues)
    assert 'podium_monitor_alert_firing{rule="ReplicaDown",severity="page",subject="blue-1"} 1.0' in (
        MonitorView(rounds.monitor).metrics().decode()
    )


def test_a_day_of_gpus_is_drawn_and_without_one_nothing_is_said() -> None:
    rounds = Rounds()
    rounds.round()
    none = MonitorView(rounds.monitor).dashboard("5m").gpus
    assert (none.now, set(none.memory_ratio + none.utilization_ratio + none.watts)) == ([], {None})
    rounds.replicas[0].joules = 0.0
    for _ in range(4):
        rounds.round()
    gpus = MonitorView(rounds.monitor).dashboard("5m").gpus
    assert (gpus.memory_ratio[-1], gpus.utilization_ratio[-1], gpus.watts[-1]) == (0.75, 0.5, 200.0)
    (gpu,) = gpus.now
    assert (gpu.replica, gpu.gpu, gpu.used_bytes, gpu.watts) == ("blue-1", "0", 60, 200.0)
    rounds.replicas[0].away = True
    rounds.round()
    (gpu,) = MonitorView(rounds.monitor).dashboard("5m").gpus.now
    assert (gpu.used_bytes, gpu.watts) == (None, None)


def test_models_without_room_are_named() -> None:
    rounds = Rounds(catalog_of(["blue"], ["m", "n"], most_rows=110))
    assert rounds.monitor.problems[0].subject == "memory"
    assert "n" in rounds.monitor.problems[0].sentence


def test_every_series_of_the_page_has_one_point_for_each_step() -> None:
    rounds = Rounds()
    rounds.round()
    for span, steps in SPANS.items():
        answer = MonitorView(rounds.monitor).dashboard(span)
        model = answer.models[0]
        lengths = {
            len(getattr(model, name)) for name in model.__struct_fields__ if isinstance(getattr(model, name), list)
        }
        assert lengths == {steps.count} == {len(answer.good)}


def test_every_model_and_environment_has_a_full_day() -> None:
    rounds = Rounds(catalog_of([f"e{number}" for number in range(8)], ["m", "n", "o"]))
    rounds.round()
    rounds.monitor.rings._fine[:] = 1.0
    rounds.monitor.rings._coarse[:] = 1.0
    answer = MonitorView(rounds.monitor).dashboard("24h")
    assert len(answer.models) == 3
    assert len(answer.environments) == 8
    assert None not in answer.models[2].e2e_p99
    assert None not in answer.environments[7].attempts
