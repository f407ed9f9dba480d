"""``podium rollout start --version``: a version is loaded on every replica before anything moves. Real processes."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.command import podium
from support.deadline import until
from support.gateway_stack import RunningStack, running_stack

SECONDS = 90.0
FIRST: dict[str, Any] = {"name": "echo", "source": "none", "engine": {"kind": "echo"}}
SECOND = {**FIRST, "version": "2", "load": "manual"}
BROKEN = {**FIRST, "version": "3", "load": "manual", "source": "./no-such-folder", "engine": {"kind": "transformers"}}
QUICK = {
    "interval_seconds": 1,
    "min_soak_seconds": 2,
    "blind_seconds": 5,
    "min_canary_requests": 5,
    "max_bad_rate_increase": 0.5,
    "bake_seconds": 600,
    "settle_seconds": 10,
    "steps": [50, 100],
}


@pytest.fixture(scope="module")
def key_and_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, RunningStack]]:
    """Two replicas of green, which has three versions and has loaded the first; there are keys."""
    folder = tmp_path_factory.mktemp("deployed")
    made = podium("keys", "create", "--tenant", "shop", "--role", "admin", "--json", cwd=folder)
    green = {"replicas": 2, "models": [FIRST, SECOND, BROKEN]}
    environments = {"blue": {"replicas": 1, "models": [FIRST]}, "green": green}
    with running_stack(folder, gateway={"environments": environments}, rollout=QUICK) as running:
        yield json.loads(made.out)["key"], running


def client_of(key: str) -> httpx.Client:
    return httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=60)


def versions(client: httpx.Client, stack: RunningStack) -> list[str]:
    """Which version each replica of green takes the plain name for, if it is loaded."""
    found = []
    for endpoint in client.get(f"{stack.control}/control/traffic").json()["environments"]["green"]["endpoints"]:
        models = client.get(f"http://{endpoint['address']}/models").json()["models"].values()
        found += [model["version"] for model in models if model["active"] and model["state"] == "ready"]
    return found


def test_a_version_that_does_not_exist_is_refused_before_anything_moves(
    key_and_stack: tuple[str, RunningStack],
) -> None:
    key, stack = key_and_stack
    with client_of(key) as client:
        wish = {"environment": "green", "version": "echo@9"}
        refused = client.post(f"{stack.control}/control/rollouts", json=wish)
        assert refused.status_code == 409
        assert "green has no model echo@9; it has echo@1, echo@2, echo@3" in refused.text
        wrong = client.post(f"{stack.control}/control/rollouts", json={**wish, "version": "echo"})
        assert (wrong.status_code, "NAME@VERSION" in wrong.text) == (400, True)
        assert versions(client, stack) == ["1", "1"]


def test_a_version_that_cannot_be_loaded_never_gets_traffic_and_the_servers_words_are_told(
    key_and_stack: tuple[str, RunningStack],
) -> None:
    key, stack = key_and_stack
    with client_of(key) as client:
        wish = {"environment": "green", "version": "echo@3"}
        assert client.post(f"{stack.control}/control/rollouts", json=wish).status_code == 201

        def told() -> bool:
            found = client.get(f"{stack.control}/control/rollouts/current").json()
            assert found["phase"] == "preparing"
            return "echo@3 could not be loaded on" in found["waits_for"]

        until("the failure is told", told, seconds=SECONDS)
        assert client.get(f"{stack.control}/control/traffic").json()["weights"] == {"blue": 100, "green": 0}
        client.post(f"{stack.control}/control/rollouts/current/abort", json={})
        until(
            "it is gone",
            lambda: client.get(f"{stack.control}/control/rollouts/current").json()["phase"] == "rolled-back",
            seconds=SECONDS,
        )


def test_every_replica_loads_the_version_first_and_one_that_is_restarted_loads_it_again(
    key_and_stack: tuple[str, RunningStack],
) -> None:
    key, stack = key_and_stack
    with client_of(key) as client:
        wish = {"environment": "green", "version": "echo@2"}
        begun = client.post(f"{stack.control}/control/rollouts", json=wish)
        assert (begun.status_code, begun.json()["revision"]) == (201, "echo@2")

        def baking() -> bool:
            asked = {"model": "echo", "prompt": "x", "max_tokens": 2}
            assert client.post(f"{stack.gateway}/v1/completions", json=asked).status_code == 200
            return bool(client.get(f"{stack.control}/control/rollouts/current").json()["phase"] == "baking")

        until("green has all traffic", baking, seconds=SECONDS)
        assert versions(client, stack) == ["2", "2"]
        first = next(child for child in stack.children() if "podium-green.yaml" in " ".join(child.cmdline()))
        first.send_signal(signal.SIGKILL)
        first.wait(30)
        until("both serve it again", lambda: _both(client, stack), seconds=SECONDS)


def _both(client: httpx.Client, stack: RunningStack) -> bool:
    try:
        return versions(client, stack) == ["2", "2"]
    except httpx.HTTPError:
        return False
