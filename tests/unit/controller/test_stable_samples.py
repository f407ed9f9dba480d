"""What is slow, by the newest answers of an environment."""

from __future__ import annotations

from podium.controller.stable_samples import StableSamples
from podium.gateway.attempts import Attempt


def attempt(milliseconds: int, **more: object) -> Attempt:
    usual = {"moment": "UpstreamEnd", "route": "split", "attempt": 1, "code": 200, "environment": "blue"}
    line = {"cluster": "blue", "began": 1000.0, "first_byte_us": 1000 * milliseconds, **usual, **more}
    return Attempt(**line)  # type: ignore[arg-type]


def test_the_quantiles_of_the_newest_two_thousand_are_what_is_slow_and_fewer_than_two_hundred_are_no_measure() -> None:
    samples = StableSamples()
    samples.take([attempt(1 + number % 100) for number in range(199)])
    assert samples.slow_above("blue") == {}
    samples.take([attempt(1000)] * 5000)
    samples.take([attempt(1 + number % 100) for number in range(2000)])
    assert samples.slow_above("blue") == {"ttft": (0.05, 0.09, 0.099)}
    assert samples.slow_above("green") == {}


def test_failures_kept_answers_retries_and_pins_tell_nothing() -> None:
    samples = StableSamples()
    for odd in ({"code": 500}, {"cache": "hit"}, {"attempt": 2}, {"route": "pin-blue"}, {"moment": "UpstreamPeriodic"}):
        samples.take([attempt(5, **odd)] * 300)
    assert samples.slow_above("blue") == {}
    samples.take([attempt(5, stream_report="whole; tokens=11; seconds=0.100000")] * 300)
    assert samples.slow_above("blue") == {"ttft": (0.005,) * 3, "itl": (0.01,) * 3}
