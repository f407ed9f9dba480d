"""What a run needs to know of its target beforehand: how to write prompts for it, and that it answers at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from podium.bench.counting import TokenCounter, TokenizerFile, TokenizeRoute, UsageCount
from podium.bench.fleet import Fleet
from podium.bench.plan import Load, RunPlan, Timeouts, Words
from podium.bench.prompts import learn, unproven
from podium.bench.record import Outcome, RequestRecord
from podium.core.errors import PodiumError, Unavailable

PROBE_TRIES = 3
PROBE_TIMEOUTS = Timeouts(connect=5.0, headers=60.0, stall=30.0, total=120.0)


def words_for(plan: RunPlan, tokenizer: str) -> Words | None:
    """How to write the plan's prompts; None where it brings its own.

    ``tokenizer``: ``route`` (the target's /tokenize), ``usage`` (its answers), a path, or ``auto``: the route, else
    usage, else words that nobody has counted (the run itself then shows whether they were right).

    Raises:
        InvalidRequest: prompts of an exact length cannot be made with what was named.
        NotFound, Unavailable: what was named is not there.
    """
    if plan.workload.kind in {"texts", "chats"}:
        return None
    if tokenizer == "auto":
        return _by_whoever_answers(plan)
    with _counter(plan, tokenizer) as counter:
        return learn(counter, _lengths(plan))


def _by_whoever_answers(plan: RunPlan) -> Words:
    for who in ("route", "usage"):
        try:
            with _counter(plan, who) as counter:
                return learn(counter, _lengths(plan))
        except PodiumError as error:
            if isinstance(error, Unavailable):
                break  # nobody there: the probe will say what is wrong
    return unproven()


@contextmanager
def _counter(plan: RunPlan, who: str) -> Iterator[TokenCounter]:
    if who not in {"route", "usage"}:
        yield TokenizerFile(Path(who).expanduser())
        return
    counter = TokenizeRoute(plan.target) if who == "route" else UsageCount(plan.target)
    try:
        yield counter
    finally:
        counter.close()


def _lengths(plan: RunPlan) -> list[int]:
    work = plan.workload
    if work.kind == "trace":
        lengths = sorted(turn.prompt_tokens for turn in work.turns)
        return [lengths[0], lengths[len(lengths) // 2]]
    return [work.prompt.mean]


async def probe(plan: RunPlan) -> RequestRecord:
    """The first good answer to a request of the plan, or the last failure of three."""
    work = msgspec.structs.replace(plan.workload, turns_per_conversation=1, cancel_share=0.0)
    once = msgspec.structs.replace(
        plan,
        load=Load(kind="closed", seconds=PROBE_TIMEOUTS.total, concurrency=1, most_requests=1),
        workload=work,
        warm_up_seconds=0.0,
        workers=1,
        timeouts=PROBE_TIMEOUTS,
    )
    for _ in range(PROBE_TRIES):
        record = (await Fleet(once).run()).records[0]
        if record.outcome is Outcome.OK:
            break
    return record
