"""What a run needs to know of its target beforehand: how to write prompts for it, and that it answers at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from podium.bench.counting import TokenCounter, TokenizerFile, TokenizeRoute, UsageCount
from podium.bench.fleet import Fleet
from podium.bench.plan import Load, RunPlan, Target, Tensor, Timeouts, Words
from podium.bench.prompts import learn, unproven
from podium.bench.record import Outcome, RequestRecord
from podium.core.errors import InvalidRequest, PodiumError, Unavailable

PROBE_TRIES = 3
TENSOR_SECONDS = 10.0
DATATYPES = frozenset({"BYTES", "FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "BOOL"})
PROBE_TIMEOUTS = Timeouts(connect=5.0, headers=60.0, stall=30.0, total=120.0)


def ready(plan: RunPlan, tokenizer: str) -> RunPlan:
    """The plan with all that its requests are made of: tensors that the model takes, and words for prompts.

    Raises as ``tensors_of`` and ``words_for``.
    """
    if plan.target.dialect == "infer" and not plan.target.tensors:
        target = msgspec.structs.replace(plan.target, tensors=tensors_of(plan.target))
        plan = msgspec.structs.replace(plan, target=target)
    return msgspec.structs.replace(plan, words=words_for(plan, tokenizer))


def tensors_of(target: Target) -> list[Tensor]:
    """The inputs of the target's model, as ``GET /v2/models/{model}`` tells them.

    Raises:
        InvalidRequest: the target tells no inputs of that model, or some of a type that no load is made for.
        Unavailable: it does not answer.
    """
    verify: Any = target.ca_file or target.verify_tls
    path = f"/v2/models/{quote(target.model, safe='')}"
    try:
        answer = httpx.get(
            target.url + path, headers=target.headers, timeout=TENSOR_SECONDS, verify=verify, trust_env=False
        )
    except httpx.HTTPError as error:
        raise Unavailable(f"the target did not answer {path}, which tells what the model takes") from error
    try:
        found = msgspec.json.decode(answer.content, type=_Metadata).inputs
    except msgspec.DecodeError:
        found = []
    if not found:
        raise InvalidRequest(f"the target answered {answer.status_code} to {path} and told no inputs of the model")
    unknown = sorted({tensor.datatype for tensor in found} - DATATYPES)
    if unknown:
        raise InvalidRequest(f"the model takes {', '.join(unknown)}; loads are made of {', '.join(sorted(DATATYPES))}")
    return found


class _Metadata(msgspec.Struct):
    inputs: list[Tensor] = []


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
