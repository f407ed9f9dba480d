"""The load tester against a server that knows the truth about every request.

Nothing here depends on how fast the machine is: what is compared are facts (outcomes, counts, usage), the order of
events on the clock that both processes share, and figures computed from the same stamps in two ways.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from podium.bench.figures import summarise
from podium.bench.fleet import Sent
from podium.bench.plan import Length, Load, RunPlan, Target, Timeouts, Workload
from podium.bench.record import Failure, Outcome
from podium.testing.simulator.behaviour import FAULTS, Behaviour, Truth
from podium.testing.simulator.process import simulator
from support.deadline import until
from support.load_plans import plan_for, send

QUICK: dict[str, Any] = {"ttft": 0.01, "itl": 0.002}
CLASSES = {
    "refuse": Failure.OVERLOADED,
    "error_frame": Failure.IN_BAND_ERROR,
    "cut": Failure.TRUNCATED,
    "no_last_frame": Failure.TRUNCATED,
    "no_usage": Failure.NO_USAGE,
    "stall": Failure.STALLED,
}
CLOCK = 1e-6  # stamps are kept to a tenth of a microsecond


def _measured(
    behaviour: Behaviour, *, api: str = "completions", **changes: Any
) -> tuple[Sent, dict[str, Truth], RunPlan]:
    with simulator(behaviour) as server:
        target = Target(url=server.url, model="simulated", dialect=api)
        plan = plan_for(server.url, target=target, **changes)
        sent = send(plan)
        until("the log is whole", lambda: len(server.truths()) == len(sent.records))
        return sent, server.truths(), plan


def test_each_fault_of_a_server_has_its_failure_class() -> None:
    faults = dict.fromkeys((name for name in FAULTS if name != "stall"), 1 / 8)
    sent, truths, _ = _measured(Behaviour(**QUICK, faults=faults), requests=80, users=8)
    seen = {truths[record.request_id].fault for record in sent.records}
    assert seen == {*faults, ""}
    for record in sent.records:
        fault = truths[record.request_id].fault
        assert record.failure == CLASSES.get(fault), (fault, record.detail)
        assert (record.outcome is Outcome.OK) == (fault in {"", "wrong_usage"})


def test_a_stream_that_stops_without_ending_is_a_stall() -> None:
    short = Timeouts(connect=5.0, headers=10.0, stall=0.3, total=30.0)
    with simulator(Behaviour(**QUICK, faults={"stall": 1.0})) as server:
        sent = send(plan_for(server.url, requests=2, users=2, timeouts=short))
    assert [record.failure for record in sent.records] == [Failure.STALLED] * 2


@pytest.mark.parametrize("api", ["completions", "chat"])
@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(**QUICK),
        Behaviour(**QUICK, role_first=True),
        Behaviour(**QUICK, tokens_per_frame=4),
        Behaviour(ttft=0.05, itl=0.002, headers_after=0.04),
    ],
    ids=["plain", "role first", "several tokens a frame", "slow headers"],
)
def test_every_token_frame_is_seen_once_and_never_before_it_was_sent(behaviour: Behaviour, api: str) -> None:
    sent, truths, plan = _measured(behaviour, api=api, requests=12, tokens=10)
    assert len(sent.records) == 12
    for record in sent.records:
        truth = truths[record.request_id]
        start = sent.started_monotonic
        assert record.outcome is Outcome.OK
        assert record.output_tokens_reported == truth.tokens == 10
        assert record.prompt_tokens_reported == truth.prompt_tokens == 5
        assert record.frames == len(truth.token_at)
        assert (record.sent_at or 0) + start <= truth.received_at + CLOCK
        assert record.first_token_at == record.token_at[0]
        for mine, true in zip(record.token_at, truth.token_at, strict=True):
            assert mine + start >= true - CLOCK
        assert (record.headers_at or 0) + start >= (truth.head_at or 0) - CLOCK
    _compare_with_numpy(sent, plan)


def _compare_with_numpy(sent: Sent, plan: RunPlan) -> None:
    """The summary against the plain definitions, from the same stamps."""
    found = summarise(sent.records, plan)
    assert found is not None
    ttft = [r.first_token_at - r.scheduled_at for r in sent.records if r.first_token_at]
    tpot = [(r.token_at[-1] - r.token_at[0]) / 9 for r in sent.records]
    itl = np.concatenate([np.diff(r.token_at) for r in sent.records])
    assert found.ttft_scheduled.mean == pytest.approx(np.mean(ttft))
    assert found.ttft_scheduled.at(50) == pytest.approx(np.percentile(ttft, 50, method="inverted_cdf"))
    assert found.tpot.mean == pytest.approx(np.mean(tpot))
    assert found.itl.at(99) == pytest.approx(np.percentile(itl, 99, method="inverted_cdf"))


def test_wrong_usage_is_found_by_counting_frames() -> None:
    sent, truths, _ = _measured(Behaviour(**QUICK, faults={"wrong_usage": 1.0}), requests=4)
    for record in sent.records:
        truth = truths[record.request_id]
        assert (record.output_tokens_reported, record.frames) == (truth.told_tokens, truth.tokens)
        assert record.frames > (record.output_tokens_reported or 0)


def test_a_planned_cancellation_is_no_failure_and_comes_after_its_tokens() -> None:
    work = Workload(prompt=Length(mean=5), output=Length(mean=40), cancel_share=1.0, cancel_after_tokens=2)
    sent, _, _ = _measured(Behaviour(**QUICK), requests=4, workload=work)
    assert [record.outcome for record in sent.records] == [Outcome.CANCELLED] * 4
    assert all(record.frames >= 2 for record in sent.records)


def test_two_workers_send_every_request_of_the_schedule_once_and_never_early() -> None:
    load = Load(kind="poisson", rate=40, seconds=1.0)
    sent, truths, _ = _measured(Behaviour(**QUICK), load=load, workers=2)
    assert [record.index for record in sent.records] == list(range(len(sent.records)))
    assert {record.worker for record in sent.records} == {0, 1}
    assert len(truths) == len(sent.records)
    assert all((record.begun_at or 0) >= record.scheduled_at for record in sent.records)
