"""Successive halving."""

from __future__ import annotations

import pytest

from podium.bench.tuning.candidates import DEFAULT, Candidate
from podium.bench.tuning.goal import WORST, Score
from podium.bench.tuning.halving import Rung, Trial, next_rung, total_seconds, winner, with_changes

MANY = [DEFAULT, *(Candidate(changes={"threads": number}) for number in range(1, 12))]


def measured(rung: Rung, value: dict[str, float]) -> list[Trial]:
    return [
        Trial(rung=rung.number, candidate=one, seconds=rung.seconds, score=Score(value=value[one.name], missed=0.0))
        for one in rung.candidates
    ]


def test_half_goes_on_for_twice_as_long_until_few_are_left() -> None:
    value = {one.name: float(number) for number, one in enumerate(MANY)}
    trials: list[Trial] = []
    sizes = []
    while (rung := next_rung(MANY, trials, 10.0)) is not None:
        sizes.append((len(rung.candidates), rung.seconds))
        trials += measured(rung, value)
    assert sizes == [(12, 10.0), (6, 20.0), (3, 40.0)]
    assert sum(count * seconds for count, seconds in sizes) == total_seconds(12, 10.0)
    assert winner(trials).name == "threads=1"  # the default is better, and is no candidate against itself


def test_whoever_keeps_the_objectives_comes_before_the_fastest() -> None:
    fast, good = Candidate(changes={"threads": 1}), Candidate(changes={"threads": 2})
    trials = [
        Trial(rung=0, candidate=fast, seconds=1, score=Score(value=1.0, missed=0.1)),
        Trial(rung=0, candidate=good, seconds=1, score=Score(value=9.0, missed=0.0)),
    ]
    assert winner(trials) == good


def test_a_candidate_that_cannot_be_measured_never_wins() -> None:
    broken = Trial(rung=0, candidate=MANY[1], seconds=1, score=WORST, refused="does not start")
    assert winner([broken]) == DEFAULT


@pytest.mark.parametrize("engine", [None, "echo", {"kind": "echo", "max_model_len": 64}])
def test_the_fragment_keeps_what_was_configured(engine: object) -> None:
    model = {"name": "m", "source": "none"} | ({} if engine is None else {"engine": engine})
    found = with_changes(model, "echo", Candidate(changes={"max_batch_sequences": 8}))
    assert found["engine"]["kind"] == "echo"
    assert found["engine"]["max_batch_sequences"] == 8
    assert found["name"] == "m"
    if isinstance(engine, dict):
        assert found["engine"]["max_model_len"] == 64
