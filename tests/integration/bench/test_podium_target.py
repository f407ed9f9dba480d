"""A real Podium server as the target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podium.bench.dialects import DIALECTS
from podium.bench.phases import phases_of
from podium.bench.plan import Length, Target, Workload
from podium.bench.preparation import ready, words_for
from podium.bench.record import Outcome
from podium.bench.result import load, load_records
from podium.core.errors import InvalidRequest
from podium.testing.server_process import ECHO, ServerProcess, server_process
from support.command import Command
from support.deadline import until
from support.load_plans import plan_for, send

RANKER = {"name": "ranker", "source": "none", "task": "rerank", "engine": {"kind": "echo"}}
QUICK = ("--warm-up", "0s", "--min-window", "0s", "--min-samples", "1")


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process(ECHO, RANKER) as running:
        yield running


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_every_dialect_is_understood_prompts_are_exact_and_the_phases_add_up_to_the_end(
    server: ServerProcess,
    streamed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for api in (name for name, dialect in DIALECTS.items() if dialect.generates):
        plan = plan_for(
            server.traffic,
            requests=6,
            users=3,
            target=Target(url=server.traffic, model="echo", dialect=api, streamed=streamed),
            workload=Workload(prompt=Length(mean=60), output=Length(mean=5)),
        )
        sent = send(msgspec.structs.replace(plan, words=words_for(plan, "route")))
        assert [record.outcome for record in sent.records] == [Outcome.OK] * 6, sent.records[0].detail
        assert {record.prompt_tokens_reported for record in sent.records} == {60}
        assert {record.output_tokens_reported for record in sent.records} == {5}
        assert all((record.first_token_at is not None) == streamed for record in sent.records)
        ids = {record.request_id for record in sent.records}
        log = server.log
        until("the log has every request", lambda: ids <= {entry.get("request_id") for entry in list(log)})  # noqa: B023
        found = phases_of(sent.records, [json.dumps(entry) for entry in list(log)])
        assert (found.joined, found.of) == (6, 6)
        assert found.worst_gap < 0.001


def test_tensors_are_made_of_what_the_model_says_that_it_takes(server: ServerProcess) -> None:
    target = Target(url=server.traffic, model="echo", dialect="infer", streamed=False)
    work = Workload(prompt=Length(mean=20), inputs=2, extra={"parameters": {"max_tokens": 3}})
    plan = ready(plan_for(server.traffic, requests=2, target=target, workload=work), "auto")
    assert [(one.name, one.datatype, one.shape) for one in plan.target.tensors] == [("text_input", "BYTES", [-1])]
    sent = send(plan)
    assert [record.outcome for record in sent.records] == [Outcome.OK] * 2, sent.records[0].detail
    with pytest.raises(InvalidRequest, match="told no inputs"):
        ready(plan_for(server.traffic, target=msgspec.structs.replace(target, model="nobody")), "auto")


@pytest.mark.parametrize(
    ("api", "route"),
    [("rerank", "/v1/rerank"), ("infer", "/v2/models/{model_name:path}/infer")],
)
def test_a_run_measures_rankings_and_tensors_and_the_server_has_seen_each_request(
    server: ServerProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str], api: str, route: str
) -> None:
    """What comes back as a tensor are scores, in FP32. What goes in are texts: no model here takes numbers."""
    load_words = ("--concurrency", "2", "--requests", "20", "--inputs", "3", "--prompt-tokens", "12")
    where = ("--url", server.traffic, "--model", "ranker", "--api", api, "--out", str(tmp_path / "a"))
    ended = Command(capsys)("bench", "run", *where, *load_words, *QUICK, "--json")
    assert ended.status in {0, 20}, ended.err  # whether this machine was quiet enough is not what is tested
    records = load_records(tmp_path / "a")
    assert {(record.outcome, record.status) for record in records} == {(Outcome.OK, 200)}, records[0].detail
    assert len(records) == load(tmp_path / "a").counts.ok == 20
    ids = {record.request_id for record in records}

    def seen() -> list[dict[str, Any]] | None:
        found = [entry for entry in server.log if entry.get("event") == "request" and entry["request_id"] in ids]
        return found if len(found) == len(ids) else None

    entries = until("the log has every request", seen)
    assert {(entry["route"], entry["model"], entry["status"]) for entry in entries} == {(route, "ranker", 200)}


def test_a_conversation_carries_its_answers(server: ServerProcess) -> None:
    plan = plan_for(
        server.traffic,
        requests=6,
        users=1,
        target=Target(url=server.traffic, model="echo", dialect="chat"),
        workload=Workload(prompt=Length(mean=40), output=Length(mean=5), turns_per_conversation=3),
    )
    sent = send(msgspec.structs.replace(plan, words=words_for(plan, "route")))
    assert [record.turn for record in sent.records] == [0, 1, 2, 0, 1, 2]
    assert len({record.session for record in sent.records}) == 2
    lengths = [record.prompt_tokens_reported or 0 for record in sent.records]
    assert lengths[0] == lengths[3] == 40
    assert lengths[0] < lengths[1] < lengths[2]


@pytest.mark.parametrize("who", ["usage", "auto"])
def test_lengths_are_learned_without_the_tokenize_route_too(server: ServerProcess, who: str) -> None:
    plan = plan_for(server.traffic, target=Target(url=server.traffic, model="echo"))
    found = words_for(plan, who)
    assert found is not None
    assert found.unit == "byte"
