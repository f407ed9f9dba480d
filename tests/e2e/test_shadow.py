"""Answers to copied requests: compared, shown to nobody, and counted nowhere. Real Envoy, real servers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.command import podium
from support.deadline import until
from support.gateway_stack import RunningStack, running_stack

SECONDS = 90.0
ECHO: dict[str, Any] = {"name": "echo", "source": "none"}
BOTH = {
    "blue": {"replicas": 1, "models": [{**ECHO, "engine": {"kind": "echo"}}]},
    "green": {"replicas": 1, "models": [{**ECHO, "version": "2", "engine": {"kind": "echo", "faults": True}}]},
}
QUICK = {"interval_seconds": 1, "blind_seconds": 5, "min_canary_requests": 5, "settle_seconds": 10}
SHADOW = {"share": 100, "max_worse": 0.2}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Green obeys fault words in prompts, blue repeats them: to a prompt with one, green's answers are bad."""
    folder = tmp_path_factory.mktemp("shadow")
    with running_stack(folder, gateway={"environments": BOTH}, rollout={**QUICK, "shadow": SHADOW}) as running:
        yield running


def start(stack: RunningStack, **wish: Any) -> httpx.Response:
    body = {"environment": "green", "shadow": True, **wish}
    return httpx.post(f"{stack.control}/control/rollouts", json=body, timeout=30)


def now(stack: RunningStack) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.control}/control/rollouts/current", timeout=10).json()
    return found


def ask_until(stack: RunningStack, prompt: str, *phases: str) -> tuple[dict[str, Any], list[httpx.Response]]:
    """Requests, streamed and whole, until the rollout is in one of the phases; and their answers."""
    answers: list[httpx.Response] = []

    def reached() -> dict[str, Any] | None:
        asked: dict[str, Any] = {"prompt": f"{prompt} {len(answers)}", "max_tokens": 8, "stream": len(answers) % 2 == 0}
        answers.append(stack.ask(**asked))
        found = now(stack)
        return found if found["phase"] in phases else None

    return until(f"the rollout is {phases}", reached, seconds=SECONDS), answers


def cached(stack: RunningStack, arm: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.gateway}/cache/stats", headers={"x-podium-arm": arm}, timeout=10).json()
    return found


def test_a_canary_whose_answers_are_bad_is_taken_back_before_any_client_reaches_it(stack: RunningStack) -> None:
    before = cached(stack, "green")
    assert start(stack).status_code == 201
    ended, answers = ask_until(stack, "fault:error@0", "rolled-back")
    assert ended["shadow"]["only_canary_bad"] >= 9
    assert ended["shadow"]["only_stable_bad"] == 0
    assert "answers to copied requests are worse" in ended["reason"]
    assert {answer.status_code for answer in answers} == {200}
    assert {attempt.environment for attempt in stack.attempts()} == {"blue"}
    assert cached(stack, "green") == before
    said = podium("rollout", "explain", "--url", stack.control, cwd=stack.folder)
    assert "copied requests" in said.out


def test_a_canary_whose_answers_are_as_good_goes_on_to_its_first_step_and_no_more_is_copied(
    stack: RunningStack,
) -> None:
    assert start(stack, revision="mended").status_code == 201
    found, _ = ask_until(stack, "hello", "acked", "observing")
    assert found["shadow"]["pairs"] >= 5
    assert found["shadow"]["only_canary_bad"] == 0
    until("copying has ended", lambda: is_quiet(stack), seconds=30)
    before = len(pinned(stack))
    for number in range(10):
        assert stack.ask(prompt=f"more {number}").status_code == 200
    assert len(pinned(stack)) <= before + 2  # what was under way
    httpx.post(f"{stack.control}/control/rollouts/current/abort", json={}, timeout=10)


def is_quiet(stack: RunningStack) -> bool:
    """Whether no copy reaches green for half a second."""
    before = len(pinned(stack))
    time.sleep(0.5)
    return len(pinned(stack)) == before


def pinned(stack: RunningStack) -> list[Any]:
    return [one for one in stack.attempts("pin-green") if one.code == 200]


def test_the_mark_of_copies_is_the_gateways_own(stack: RunningStack) -> None:
    answer = httpx.post(
        f"{stack.gateway}/v1/completions",
        json={"model": "echo", "prompt": "x"},
        headers={"x-podium-shadow": "mine"},
        timeout=10,
    )
    assert answer.status_code == 403
    assert "leave it out" in json.dumps(answer.json())


def test_copies_use_up_no_quota(tmp_path: Path) -> None:
    """A key with so few requests that one copy would leave none for its owner."""
    made = podium("keys", "create", "--tenant", "shop", "--role", "admin", "--json", cwd=tmp_path)
    key = json.loads(made.out)["key"]
    settings = {"environments": BOTH}
    with running_stack(tmp_path, gateway=settings, rollout={**QUICK, "shadow": SHADOW}) as running:
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(headers=headers, timeout=30) as client:
            wish = {"environment": "green", "shadow": True}
            assert client.post(f"{running.control}/control/rollouts", json=wish).status_code == 201
            sent = 0

            def compared() -> bool:
                nonlocal sent
                body = {"model": "echo", "prompt": f"hello {sent}", "max_tokens": 4}
                assert client.post(f"{running.gateway}/v1/completions", json=body).status_code == 200
                sent += 1
                found = client.get(f"{running.control}/control/rollouts/current").json()
                return bool((found["shadow"] or {"pairs": 0})["pairs"] >= 5)

            until("five pairs", compared, seconds=SECONDS)
            usage = client.get(f"{running.gateway}/usage").json()["total"]
            assert usage["requests"] <= sent
