"""Comparison, search, sweep and tuning over real servers, each a process of its own, under tiny loads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from podium.bench.comparison.live import Served, run_interleaved
from podium.bench.comparison.saved import are_interleaved, require_same_load, runs_in
from podium.bench.local_server import LocalServer
from podium.bench.local_stack import LocalStack
from podium.bench.measured import Bench
from podium.bench.plan import Bounds, Length, Load, RunPlan, Target, Workload
from podium.bench.prompts import unproven
from podium.bench.record import Outcome
from podium.bench.result import load, load_records
from podium.bench.sampling import load_samples
from podium.bench.search.drive import find_max
from podium.bench.search.history import Probe
from podium.bench.search.next_step import Plan
from podium.bench.search.objective import parse_objective
from podium.bench.sweep import grid, sweep
from podium.bench.tuning.candidates import DEFAULT, Candidate
from podium.bench.tuning.drive import Tuner
from podium.bench.tuning.goal import Goal
from podium.core.errors import Unavailable

ENGINE = {"kind": "echo", "token_interval_seconds": 0.01, "max_batch_sequences": 4}
SETTINGS: dict[str, Any] = {"models": [{"name": "echo", "source": "none", "engine": ENGINE}]}
PLAN = RunPlan(
    target=Target(url="", model="echo"),
    load=Load(kind="closed", seconds=1.0, concurrency=4),
    workload=Workload(prompt=Length(mean=12), output=Length(mean=8), ignore_eos=False),
    bounds=Bounds(schedule_delay_p99=10.0, client_cpu=2.0, load_error=1.0, least_window_seconds=0.1, least_samples=1),
    words=unproven(),
    warm_up_seconds=0.2,
    drain_seconds=5.0,
    calibrate=False,
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(SETTINGS) as running:
        yield running


def there(server: LocalServer, **changes: Any) -> RunPlan:
    target = msgspec.structs.replace(PLAN.target, url=server.url)
    return msgspec.structs.replace(PLAN, target=target, **changes)


def test_a_server_to_measure_is_ready_inside_the_block_and_gone_after_it() -> None:
    with LocalServer(SETTINGS) as running:
        pids = [process.pid for process in psutil.Process().children(recursive=True)]
        assert running.cpu_seconds() > 0
        assert running.memory_bytes() > 10_000_000
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_a_server_that_cannot_start_says_why() -> None:
    broken = {"models": [{"name": "m", "source": "/nowhere/at/all"}]}
    with pytest.raises(Unavailable, match="the server to measure"), LocalServer(broken):
        pytest.fail("it must not become ready")


def test_runs_in_turns_are_pairs_of_the_same_load(server: LocalServer, tmp_path: Path) -> None:
    served: Served = lambda: contextlib.nullcontext(server.url)  # noqa: E731 - shorter than a function
    told: list[str] = []
    found = run_interleaved(
        Bench(tmp_path), there(server), {"A": served, "B": served}, pairs=2, told=lambda _, side: told.append(side)
    )
    assert sorted(told) == ["A", "A", "B", "B"]
    a, b = runs_in(tmp_path / "A"), runs_in(tmp_path / "B")
    assert are_interleaved(a, b)
    require_same_load([*a, *b])
    assert [run.provenance.seed for run in a] == [run.provenance.seed for run in b]
    assert len(found["A"]) == len(found["B"]) == 2


def test_the_search_runs_where_it_is_told_and_keeps_every_run(server: LocalServer, tmp_path: Path) -> None:
    seen: list[Probe] = []
    found = find_max(
        Bench(tmp_path),
        there(server, load=Load(kind="poisson", rate=10.0, seconds=1.0)),
        [parse_objective("e2e p50 < 10ms")],  # eight tokens take longer than that
        Plan(start=20.0, least=10.0, most=40.0, most_runs=3),
        requests=10,
        told=lambda probe, _: seen.append(probe),
    )
    assert [probe.rate for probe in seen] == [20.0, 10.0, 10.0]
    assert found.found.passes is None
    assert found.found.fails == 10.0
    for probe in seen:
        assert load(tmp_path / probe.run).plan["load"]["rate"] == probe.rate
        assert load_records(tmp_path / probe.run)


def test_a_sweep_measures_each_load_on_each_configuration_and_survives_one_that_does_not_start(tmp_path: Path) -> None:
    points = [*grid({"models.0.engine.max_batch_sequences": [1]}), {"models.0.source": "/nowhere/at/all"}]
    points[1]["models.0.engine"] = "auto"
    loads = [Load(kind="closed", seconds=0.5, concurrency=users) for users in (1, 2)]
    found = sweep(Bench(tmp_path), PLAN, SETTINGS, points, loads, lambda *_: None)
    assert [(point.load, bool(point.run)) for point in found] == [("1 users", True), ("2 users", True), ("", False)]
    assert "the server to measure" in found[-1].refused
    assert load(tmp_path / "01-02").tags == {"max_batch_sequences": "1", "load": "2 users"}


def test_a_sweep_over_replicas_measures_them_through_a_gateway_and_asks_each_for_its_figures(tmp_path: Path) -> None:
    points = grid({"gateway.environments.blue.replicas": [2]})
    loads = [Load(kind="closed", seconds=2.5, concurrency=4)]
    found = sweep(Bench(tmp_path), PLAN, SETTINGS, points, loads, lambda *_: None, LocalStack)
    assert [(point.run, point.refused) for point in found] == [("01-01", "")]
    assert load(tmp_path / "01-01").tags == {"replicas": "2", "load": "4 users"}
    samples = load_samples(tmp_path / "01-01")
    served = [sample.output_tokens for sample in samples if sample.output_tokens is not None]
    assert served[-1] > 8
    assert {record.outcome for record in load_records(tmp_path / "01-01")} == {Outcome.OK}


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_leaves_what_is_known_until_then(server: LocalServer, tmp_path: Path) -> None:
    """Whoever is told of a run is interrupted in the middle of the whole, whichever of the four it is."""
    open_loop = there(server, load=Load(kind="poisson", rate=10.0, seconds=1.0))
    limits = Plan(start=20.0, least=10.0, most=40.0, most_runs=3)
    objectives = [parse_objective("e2e p50 < 10ms")]
    search = find_max(Bench(tmp_path / "search"), open_loop, objectives, limits, requests=10, told=_interrupt)
    assert search.interrupted
    assert [probe.rate for probe in search.history] == [20.0]
    assert search.found.passes is None

    def third(number: int, _: str) -> None:
        if number == 3:
            raise KeyboardInterrupt

    served: Served = lambda: contextlib.nullcontext(server.url)  # noqa: E731 - shorter than a function
    pairs = run_interleaved(Bench(tmp_path / "compare"), there(server), {"A": served, "B": served}, pairs=4, told=third)
    assert [len(runs) for runs in pairs.values()] == [1, 1]

    tuner = Tuner(
        bench=Bench(tmp_path / "tune"),
        plan=PLAN,
        goal=Goal.THROUGHPUT,
        objectives=[],
        settings={},
        model=SETTINGS["models"][0],
        engine="echo",
        told=_interrupt,
    )
    found = tuner.tune([DEFAULT, Candidate(changes={"max_batch_sequences": 2})], seconds=0.5, pairs=1)
    assert found.interrupted
    assert (found.recommended, found.proof) == (DEFAULT, None)


def test_tuning_finds_the_configuration_that_serves_more_at_once(tmp_path: Path) -> None:
    slow = {**SETTINGS["models"][0], "engine": {**ENGINE, "max_batch_sequences": 1}}
    wide = Candidate(changes={"max_batch_sequences": 4})
    tuner = Tuner(
        bench=Bench(tmp_path),
        plan=PLAN,
        goal=Goal.THROUGHPUT,
        objectives=[],
        settings={},
        model=slow,
        engine="echo",
        told=lambda _: None,
    )
    found = tuner.tune([DEFAULT, wide], seconds=0.5, pairs=1)
    assert found.best == wide
    assert found.proof is not None
    assert found.proof.change < -0.3
    assert found.recommended == DEFAULT  # one pair proves nothing, however large the difference
    assert json.loads(msgspec.json.encode(found))["proof"]["pairs"] == 1
