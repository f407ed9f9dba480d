"""The last minute of the stable environment."""

from __future__ import annotations

from podium.controller.recent_traffic import RecentAttempts
from podium.gateway.attempts import Attempt
from podium.rollout.plan import RecentTraffic


def attempt(second: float, **more: object) -> Attempt:
    usual = {"moment": "UpstreamEnd", "route": "split", "attempt": 1, "code": 200, "environment": "blue"}
    return Attempt(**{"began": second, **usual, **more})  # type: ignore[arg-type]


def test_first_attempts_of_the_last_minute_are_counted_in_any_order() -> None:
    recent = RecentAttempts()
    recent.take([attempt(1000 + number / 10) for number in range(60)])
    recent.take(
        [attempt(990, code=500), attempt(1003.5, flags="UC", code=0), attempt(1003.5, moment="UpstreamPoolReady")]
    )
    recent.take([attempt(1003.5, attempt=2), attempt(1003.5, route="pin-blue"), attempt(1003.5, environment="green")])
    assert recent.of("blue", now=1010.0) == RecentTraffic(62 / 60, 2 / 62)
    assert recent.of("green", now=1010.0) == RecentTraffic(1 / 60, 0.0)


def test_what_is_older_than_a_minute_is_forgotten_and_nothing_is_no_rate() -> None:
    recent = RecentAttempts()
    recent.take([attempt(1000)])
    assert recent.of("blue", now=1061.0) == RecentTraffic(0.0, None)
    recent.take([attempt(2000 + number) for number in range(500)])
    assert len(recent._seconds) <= 120
