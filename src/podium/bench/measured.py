"""One of many runs: measured, kept in a folder, and handed on. Comparison, search, sweep and tuning are made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from podium.bench.plan import RunPlan
from podium.bench.progress import Progress
from podium.bench.record import RequestRecord
from podium.bench.result import Reason, RunResult, save
from podium.bench.run import Run
from podium.bench.sampling import Sampling, save_samples

CLIENT_REASONS = frozenset(
    {
        Reason.CALIBRATION,
        Reason.SCHEDULE_DELAY,
        Reason.CLIENT_LATE,
        Reason.CLIENT_CPU,
        Reason.LOAD_NOT_DELIVERED,
        Reason.WORKER_LOST,
    }
)
"""Reasons that say nothing about the server: such a run may be repeated without favouring anybody."""


@dataclass(frozen=True)
class Measured:
    """A run with its requests."""

    plan: RunPlan
    result: RunResult
    records: list[RequestRecord]

    @property
    def clients_fault(self) -> bool:
        """Whether the run is INVALID and nothing but the load generator is to blame."""
        return bool(self.result.invalid) and all(one.reason in CLIENT_REASONS for one in self.result.invalid)


@dataclass
class Bench:
    """Where runs are kept, and who watches. Each run is a new folder in ``folder``."""

    folder: Path
    command: Sequence[str] = ()
    watch: Callable[[Progress], None] | None = None
    metrics_urls: Sequence[str] = ()  # of the server, to sample beside the run

    def measure(
        self, plan: RunPlan, name: str, tags: dict[str, str] | None = None, metrics_urls: Sequence[str] = ()
    ) -> Measured:
        """Measure ``plan`` and save it as ``name``. Raises as ``Run.go``; Ctrl-C loses this run alone.

        ``metrics_urls``: of the servers of this run, where they are not those of all runs.
        """
        with Sampling(metrics_urls or self.metrics_urls) as sampling:
            watch = with_samples(self.watch, sampling)
            run = Run(plan, name=name, command=self.command, watch=watch, tags=tags or {})
            result, records = asyncio.run(run.go())
        save(self.folder / name, result, records)
        save_samples(self.folder / name, sampling.samples)
        return Measured(plan, result, records)

    def set_aside(self, name: str, new_name: str) -> None:
        """Keep a run under another name, out of the way of those that count."""
        (self.folder / new_name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).rename(self.folder / new_name)


def with_samples(watch: Callable[[Progress], None] | None, sampling: Sampling) -> Callable[[Progress], None] | None:
    """``watch`` with what host and server said last."""
    if watch is None:
        return None

    def show(progress: Progress) -> None:
        watch(msgspec.structs.replace(progress, samples=sampling.samples[-2:]))

    return show


def seeded(plan: RunPlan, number: int) -> RunPlan:
    """The plan with other draws of times and prompts: the same for the same ``number``."""
    return msgspec.structs.replace(plan, seed=plan.seed + number)


def at_rate(plan: RunPlan, rate: float, seconds: float) -> RunPlan:
    """The plan at another rate and length."""
    return msgspec.structs.replace(plan, load=msgspec.structs.replace(plan.load, rate=rate, seconds=seconds))
