"""A recording is judged as if somebody had looked after every interval."""

from __future__ import annotations

import pytest

from podium.core.errors import InvalidRequest
from podium.rollout.analysis.policy import WEIGHTS, Policy
from podium.rollout.analysis.verdict import Advance, Hold, Rollback
from podium.rollout.recording import Recording, parse_recording
from podium.rollout.replay import replay

HEAD = "interval,stable_attempts,stable_bad,canary_attempts,canary_bad"


def recording(rows: list[str], more: str = "") -> Recording:
    return parse_recording("\n".join([HEAD + more, *(f"{n},{row}" for n, row in enumerate(rows))]), "csv")


def test_the_verdict_stands_since_the_interval_that_is_named() -> None:
    played = replay(recording(["45,0,5,0"] * 5 + ["45,0,5,2"] * 5 + ["45,0,5,0"] * 50), Policy(), WEIGHTS, 0.1)
    assert isinstance(played.last.verdict, Rollback)
    assert len(played.looks) == 60
    assert played.decided.interval == "6"
    assert isinstance(played.looks[5].verdict, Hold)


def test_a_good_canary_advances() -> None:
    played = replay(recording(["45,0,5,0"] * 400), Policy(), WEIGHTS, 0.1)
    assert isinstance(played.last.verdict, Advance)
    assert 100 < int(played.decided.interval) < 200


def test_a_share_that_changes_begins_a_step() -> None:
    rows = ["450,0,50,0,0.1"] * 30 + ["375,0,125,0,0.25"] * 2
    played = replay(recording(rows, ",share"), Policy(), WEIGHTS, None)
    assert isinstance(played.looks[29].verdict, Advance)
    assert isinstance(played.last.verdict, Hold)
    assert played.last.evidence.totals["errors"].canary_attempts == 250
    assert played.last.share == 0.25


def test_without_a_declared_share_nothing_is_judged() -> None:
    with pytest.raises(InvalidRequest, match=r"--share .* \(counted in the file: 0.1\)"):
        replay(recording(["45,0,5,0"]), Policy(), WEIGHTS, None)


def test_metrics_without_a_weight_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="weight above 0"):
        replay(recording(["45,0,5,0"]), Policy(), {"errors": 0.0, "ttft": 1.0}, 0.1)
