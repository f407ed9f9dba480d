"""A rollout from its start to its end: a real `podium up`, a real Envoy, two servers that behave as they are told."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.rollout.history import verify
from support.deadline import until
from support.gateway_stack import RunningStack, running_stack
from support.upstreams import Upstream, crowd, upstream

QUICK = {
    "interval_seconds": 1,
    "min_soak_seconds": 2,
    "blind_seconds": 5,
    "min_canary_requests": 5,
    "max_bad_rate_increase": 0.5,
    "bake_seconds": 2,
    "steps": [50, 100],
}
LONG_SECONDS = 60.0


class Site:
    """A stack with the environments blue (stable) and green."""

    def __init__(self, stack: RunningStack, blue: Upstream, green: Upstream) -> None:
        self.stack, self.blue, self.green = stack, blue, green

    def start(self, **wish: Any) -> dict[str, Any]:
        return self.post("/control/rollouts", 201, environment="green", **wish)

    def post(self, path: str, status: int, **body: Any) -> dict[str, Any]:
        answer = httpx.post(f"{self.stack.control}{path}", json=body, timeout=30)
        assert answer.status_code == status, answer.text + self.stack.log.read_text()[-3000:]
        found: dict[str, Any] = answer.json()
        return found

    def get(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"{self.stack.control}{path}", timeout=30).raise_for_status().json()
        return answer

    @property
    def now(self) -> dict[str, Any]:
        return self.get("/control/rollouts/current")

    def reaches(self, *phases: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.append(self.now)
            return found[-1]["phase"] in phases

        try:
            until(f"the rollout is {phases}", look, seconds=LONG_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {found[-1]}; {self.stack.log.read_text()[-3000:]}") from error
        return found[-1]

    @property
    def history(self) -> Path:
        return self.stack.folder / "podium-rollouts.db"


@contextmanager
def site(folder: Path, *, bad_of_ten: int = 0, **rollout: Any) -> Iterator[Site]:
    with upstream("blue") as blue, upstream("green", bad_of_ten=bad_of_ten) as green:
        with site_of(folder, blue, green, **rollout) as one:
            yield one


@contextmanager
def site_of(folder: Path, blue: Upstream, green: Upstream, **rollout: Any) -> Iterator[Site]:
    environments = {"blue": {"endpoints": [blue.url]}, "green": {"endpoints": [green.url]}}
    gateway = {"environments": environments}
    with running_stack(folder, gateway=gateway, rollout={**QUICK, **rollout}) as stack:
        yield Site(stack, blue, green)


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="podium-") as name:
        yield Path(name)


def test_a_good_canary_gets_all_traffic_and_becomes_the_stable_environment(folder: Path) -> None:
    with site(folder) as one, crowd(one.stack.gateway, per_second=30) as clients:
        assert one.start()["phase"] == "preparing"
        done = one.reaches("done")
        until("the roles have changed", lambda: one.stack.traffic()["stable"] == "green")
        assert (done["confirmed"], done["ended"], done["possible"]) == (100, True, [])
        assert one.stack.traffic()["weights"] == {"blue": 0, "green": 100}
        assert clients.failed == []
        phases = [event["phase"] for event in one.get("/control/rollouts/events")["events"]]
        assert phases == ["preparing", "warming", "applying", "acked", "observing", "applying", "baking", "draining", "done"]
    assert verify(one.history) == []
