"""What is slow, by the newest answers of an environment."""

from __future__ import annotations

from pathlib import Path

from podium.controller.stable_samples import StableSamples
from podium.gateway.attempts import Attempt
from podium.rollout.events import Aborted, Acknowledged, Drained, Started
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.terms import Terms


def attempt(milliseconds: int, **more: object) -> Attempt:
    usual = {"moment": "UpstreamEnd", "route": "split", "attempt": 1, "code": 200, "environment": "blue"}
    line = {"cluster": "blue", "began": 1000.0, "first_byte_us": 1000 * milliseconds, **usual, **more}
    return Attempt(**line)  # type: ignore[arg-type]


def test_the_quantiles_of_the_newest_two_thousand_are_what_is_slow_and_fewer_than_two_hundred_are_no_measure() -> None:
    samples = StableSamples(lambda _: 0.0)
    samples.take([attempt(1 + number % 100) for number in range(199)])
    assert samples.slow_above("blue") == {}
    samples.take([attempt(1000)] * 5000)
    samples.take([attempt(1 + number % 100) for number in range(2000)])
    assert samples.slow_above("blue") == {"ttft": (0.05, 0.09, 0.099)}
    assert samples.slow_above("green") == {}


def test_failures_kept_answers_retries_and_pins_tell_nothing() -> None:
    samples = StableSamples(lambda _: 0.0)
    for odd in ({"code": 500}, {"cache": "hit"}, {"attempt": 2}, {"route": "pin-blue"}, {"moment": "UpstreamPeriodic"}):
        samples.take([attempt(5, **odd)] * 300)
    assert samples.slow_above("blue") == {}
    samples.take([attempt(5, stream_report="whole; tokens=11; seconds=0.100000")] * 300)
    assert samples.slow_above("blue") == {"ttft": (0.005,) * 3, "itl": (0.01,) * 3}


def test_answers_of_a_version_that_was_tried_in_an_environment_before_are_none_of_the_present_one(
    tmp_path: Path,
) -> None:
    """Blue had a slow version that was taken back; the mended one is what the next canary is compared with."""

    def start(at: float, environment: str, revision: str) -> Started:
        other = {"blue": "green", "green": "blue"}[environment]
        terms = Terms(environment=environment, stable=other)
        return Started(at=at, revision=revision, steps=(10_000,), terms=terms)

    with HistoryOnDemand(tmp_path / "rollouts.db") as history:
        samples = StableSamples(history.started)
        samples.take([attempt(5000, began=500.0)] * 300)
        assert samples.slow_above("blue") == {"ttft": (5.0,) * 3}
        for number, at in enumerate((400.0, 1000.0)):
            history.append(start(at, "blue", f"v{number}"), actor="test")
            for event in (Aborted(at=at, reason=""), Acknowledged(at=at, canary_units=0), Drained(at=at)):
                history.append(event, actor="test")
        history.append(start(3000.0, "green", "v3"), actor="test")
        assert samples.slow_above("blue") == {}
        samples.take([attempt(5, began=2000.0)] * 300)
        assert samples.slow_above("blue") == {"ttft": (0.005,) * 3}
