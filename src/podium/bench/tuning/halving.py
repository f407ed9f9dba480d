"""Successive halving: many candidates for a short time, few for a long one (Jamieson and Talwalkar, 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podium.bench.tuning.candidates import DEFAULT, Candidate
from podium.bench.tuning.goal import Score

FINALISTS = 2


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate in one rung."""

    rung: int
    candidate: Candidate
    score: Score
    seconds: float
    run: str = ""
    cpu_seconds: float = 0.0
    memory_bytes: int = 0
    refused: str = ""  # why the candidate could not be measured


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure next: these candidates, each for so long."""

    number: int
    candidates: list[Candidate]
    seconds: float


def next_rung(candidates: Sequence[Candidate], trials: Sequence[Trial], seconds: float) -> Rung | None:
    """The rung after those in ``trials``, or None when the finalists are known. The first rung runs ``seconds``.

    Half of a rung goes on, for twice as long; the last rung has four candidates or fewer.
    """
    if not trials:
        return Rung(number=0, candidates=list(candidates), seconds=seconds)
    last = max(trial.rung for trial in trials)
    here = [trial for trial in trials if trial.rung == last]
    if len(here) <= 2 * FINALISTS:
        return None
    kept = ranked(here)[: max(FINALISTS, len(here) // 2)]
    return Rung(number=last + 1, candidates=[trial.candidate for trial in kept], seconds=seconds * 2 ** (last + 1))


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials of one rung, the best first."""
    return sorted(trials, key=lambda trial: trial.score.rank)


def winner(trials: Sequence[Trial]) -> Candidate:
    """The best of the last rung that is not the default, or the default when nothing else was measured there."""
    last = max((trial.rung for trial in trials), default=0)
    for trial in ranked([trial for trial in trials if trial.rung == last]):
        if trial.candidate != DEFAULT and not trial.refused:
            return trial.candidate
    return DEFAULT


def total_seconds(count: int, seconds: float) -> float:
    """How long all rungs measure, starting and warming up left out."""
    total = 0.0
    while True:
        total += count * seconds
        if count <= 2 * FINALISTS:
            return total
        count, seconds = max(FINALISTS, count // 2), seconds * 2


def with_changes(model: Mapping[str, Any], kind: str, candidate: Candidate) -> dict[str, Any]:
    """The model's entry in ``podium.yaml`` with the candidate's settings. ``kind``: its engine."""
    given = model.get("engine") or {}
    engine = {"kind": given} if isinstance(given, str) else dict(given)
    return {**model, "engine": {**engine, "kind": kind, **candidate.changes}}
