"""What the rendered pods cost: every part once, at the given prices, and no figure without a measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podium.core.errors import ConfigurationError
from podium.deploy.cost import Cost, cost_of
from podium.deploy.environments import Profile
from podium.deploy.plan import plan_of
from podium.deploy.prices import Prices, read_prices
from podium.deploy.throughput import tokens_per_second_in
from support.command import Command
from support.deployments import FULL, GATEWAYS, GPUS, LARGE, Document, settings_of

PRICES = Prices(
    currency="EUR",
    cpu_core_hour=0.1,
    memory_gib_hour=0.01,
    disk_gib_hour=0.001,
    accelerator_hour={"nvidia.com/gpu": 2.0},
)


def _cost(document: Document, profile: Profile = "cpu", tokens: float | None = None, **deploy: Any) -> Cost:
    return cost_of(plan_of(settings_of(document, **deploy), profile), PRICES, tokens)


def test_every_part_is_there_once_at_its_price() -> None:
    """A server: 2 cores, 8 GiB. Redis: half a core, 1.25 GiB and 4 GiB of disk. Weights: 50 GiB of disk."""
    cost = _cost(FULL)
    assert {line.name: (line.pods_least, line.pods_most, line.hour) for line in cost.lines} == {
        "podium-blue": (2, 4, 0.28),
        "podium-green": (2, 4, 0.28),
        "podium-redis": (1, 1, 0.0665),
        "podium-weights": (1, 1, 0.05),
    }
    assert (cost.hour_least, cost.hour_most) == (1.2365, 2.3565)


def test_gateways_and_their_controller_cost_too() -> None:
    more = {line.name: line.pods_most for line in _cost(GATEWAYS).lines}
    assert (more["podium-gateway"], more["podium-controller"]) == (2, 1)


def test_accelerators_cost_what_the_table_says() -> None:
    (line,) = [line for line in _cost(LARGE, "gpu", **GPUS).lines if line.name == "podium-blue"]
    assert line.accelerators == {"nvidia.com/gpu": 2.0}
    assert line.hour == 0.28 + 2 * 2.0


def test_an_accelerator_without_a_price_is_refused_by_name() -> None:
    mig: dict[str, Any] = {"accelerators": {"available": 9, "resource": "nvidia.com/mig-3g.40gb"}}
    with pytest.raises(ConfigurationError, match=r"no price for nvidia\.com/mig-3g\.40gb, which podium-blue takes"):
        _cost(LARGE, "gpu", **mig)


def test_a_million_tokens_costs_what_the_pods_cost_while_they_make_them() -> None:
    cost = _cost(FULL, tokens=100.0)
    assert cost.million_tokens_least_pods == pytest.approx(cost.hour_least / (400 * 3600) * 1e6, rel=1e-5)
    assert cost.million_tokens_most_pods == pytest.approx(cost.hour_most / (800 * 3600) * 1e6, rel=1e-5)
    assert _cost(FULL).million_tokens_least_pods is None


def _result(folder: Path, **members: Any) -> Path:
    document = {"format": "podium-bench/1", "name": "x", "summary": {"output_throughput": 480.0, "more": 1}, **members}
    (folder / "result.json").write_text(json.dumps(document))
    return folder


def test_the_measurement_is_that_of_a_load_test(tmp_path: Path) -> None:
    assert tokens_per_second_in(_result(tmp_path)) == 480.0
    assert tokens_per_second_in(tmp_path / "result.json") == 480.0


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"invalid": [{"reason": "client_cpu", "detail": "a worker used 99 % of a core"}]}, "INVALID.*99 % of a core"),
        ({"summary": None}, "it has no summary"),
        ({"summary": {}}, "no result of a load test"),
        ({"summary": {"output_throughput": 0.0}}, "has no output tokens"),
        ({"format": "other/1"}, "says that it is 'other/1'"),
    ],
)
def test_a_run_that_says_nothing_prices_nothing(tmp_path: Path, members: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        tokens_per_second_in(_result(tmp_path, **members))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency: EUR\ncpu_core_hour: 1\n", "missing required field `memory_gib_hour`"),
        ("currency: EUR\ncpu_core_hour: -1\nmemory_gib_hour: 1\n", "Expected `float` >= 0"),
        ("currency: EUR\ncpu_core_hour: .inf\nmemory_gib_hour: 1\n", "Expected `float` <= 1000000"),
        ("currency: EUR\ncpu_core_hour: .nan\nmemory_gib_hour: 1\n", "Expected `float`"),
        ("currency: EUR\ncpu_core_hour: 1\nmemory_gib_hour: 1\ncpu: 1\n", "unknown field `cpu`"),
        ("[", "is no table of prices"),
    ],
)
def test_a_table_with_a_mistake_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_prices(file)


def test_the_command_shows_the_same_as_text_and_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "podium.yaml").write_text(json.dumps(FULL))
    (tmp_path / "prices.yaml").write_text("{currency: EUR, cpu_core_hour: 0.1, memory_gib_hour: 0.01}")
    command = Command(capsys)
    words = ["deploy", "cost", "--prices", str(tmp_path / "prices.yaml"), "--profile", "cpu"]
    words += ["--config", str(tmp_path / "podium.yaml"), "--report", str(_result(tmp_path)), "--measured-pods", "2"]
    told = json.loads(command(*words, "--json").out)
    shown = command(*words).out
    assert f"{told['hour_least']:.4f} to {told['hour_most']:.4f}" in shown
    assert f"{told['million_tokens_least_pods']:.4f}" in shown
    assert command(*words, "--tokens-per-second", "5").status == 2
