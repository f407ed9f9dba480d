"""Tuning carried out: a server for each trial, started and stopped here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from podium.bench.comparison.order import interleaved
from podium.bench.local_server import LocalServer
from podium.bench.measured import Bench, seeded
from podium.bench.plan import RunPlan
from podium.bench.search.objective import Objective
from podium.bench.tuning.candidates import DEFAULT, Candidate
from podium.bench.tuning.goal import WORST, Goal, Score, score
from podium.bench.tuning.halving import Trial, next_rung, winner, with_changes
from podium.bench.tuning.proof import Proof, prove
from podium.core.errors import PodiumError, Unavailable

_TRIES = 3


class Tuning(msgspec.Struct, frozen=True, kw_only=True):
    """A tuning that is over: every trial, the best candidate, and its proof (None: nothing to compare)."""

    goal: Goal
    objectives: list[str]
    engine: str
    trials: list[Trial]
    best: Candidate
    proof: Proof | None
    recommended: Candidate
    interrupted: bool = False


@dataclass(frozen=True)
class Tuner:
    """What stays the same through all trials. ``settings``: other sections of ``podium.yaml``; ``model``: its entry."""

    bench: Bench
    plan: RunPlan
    goal: Goal
    objectives: Sequence[Objective]
    settings: Mapping[str, Any]
    model: Mapping[str, Any]
    engine: str
    told: Callable[[str], None]

    def tune(self, candidates: Sequence[Candidate], *, seconds: float, pairs: int) -> Tuning:
        """Narrow ``candidates`` down from rungs of ``seconds``, then compare the best with the default in ``pairs``.

        Ctrl-C loses the run that goes on and keeps the trials that are over; nothing is recommended without a proof.
        """
        trials: list[Trial] = []
        proof, interrupted = None, False
        try:
            while (rung := next_rung(candidates, trials, seconds)) is not None:
                for number, candidate in enumerate(rung.candidates, start=1):
                    name = f"rung-{rung.number}/{number:02d}"
                    trials.append(self._trial(candidate, rung.number, name, rung.seconds))
            if winner(trials) != DEFAULT:
                proof = self._prove(winner(trials), pairs)
        except KeyboardInterrupt:
            interrupted = True
        best = winner(trials)
        return Tuning(
            goal=self.goal,
            objectives=[one.text for one in self.objectives],
            engine=self.engine,
            trials=trials,
            best=best,
            proof=proof,
            recommended=best if proof is not None and proof.better else DEFAULT,
            interrupted=interrupted,
        )

    def _trial(self, candidate: Candidate, rung: int, name: str, seconds: float) -> Trial:
        try:
            found, cpu, memory = self._measure(candidate, name, seconds, 0)
        except PodiumError as error:
            self.told(f"{candidate.name}: not measured: {error.message}")
            return Trial(rung=rung, candidate=candidate, score=WORST, seconds=seconds, refused=error.message)
        self.told(f"rung {rung}, {candidate.name}: {found.value:.4g}{' (objective missed)' if found.missed else ''}")
        return Trial(
            rung=rung,
            candidate=candidate,
            score=found,
            seconds=seconds,
            run=name,
            cpu_seconds=cpu,
            memory_bytes=memory,
        )

    def _prove(self, best: Candidate, pairs: int) -> Proof:
        self.told(f"{best.name} against the default: {pairs} pairs of runs")
        scores: dict[str, list[Score]] = {"A": [], "B": []}
        for number, side in enumerate(interleaved(pairs, self.plan.seed)):
            candidate = DEFAULT if side == "A" else best
            name = f"proof-{side}/{len(scores[side]) + 1:02d}"
            found, _, _ = self._measure(candidate, name, self.plan.load.seconds, number // 2)
            scores[side].append(found)
            self.told(f"{side} {candidate.name}: {found.value:.4g}")
        return prove(scores["A"], scores["B"])

    def _measure(self, candidate: Candidate, name: str, seconds: float, number: int) -> tuple[Score, float, int]:
        """Score, processor seconds and memory of one run; repeated where the client spoiled it."""
        settings = {**self.settings, "models": [with_changes(self.model, self.engine, candidate)]}
        load = msgspec.structs.replace(self.plan.load, seconds=seconds)
        for attempt in range(_TRIES):
            with LocalServer(settings) as server:
                target = msgspec.structs.replace(self.plan.target, url=server.url)
                plan = seeded(msgspec.structs.replace(self.plan, target=target, load=load), number)
                before = server.cpu_seconds()
                measured = self.bench.measure(plan, name, {"candidate": candidate.name}, server.metrics_urls)
                cpu, memory = server.cpu_seconds() - before, server.memory_bytes()
            if not measured.clients_fault:
                return score(self.goal, measured.records, plan, self.objectives, cpu), cpu, memory
            self.bench.set_aside(name, f"spoiled/{name.replace('/', '-')}-{attempt}")
        reasons = "; ".join(one.detail for one in measured.result.invalid)
        raise Unavailable(f"this client cannot measure that: {reasons}")
