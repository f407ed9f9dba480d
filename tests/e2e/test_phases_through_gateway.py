"""``podium up`` under a small load: where the time of each request went, out of the one log that it writes."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from podium.bench.plan import Length, RunPlan, Target, Workload
from podium.bench.preparation import words_for
from podium.bench.record import Outcome
from podium.bench.request_log import gateway_entries, request_entries
from podium.bench.result import REQUESTS_FILE
from support.command import Command
from support.deadline import until
from support.gateway_stack import RunningStack, running_stack
from support.load_plans import plan_for, send
from support.scripted_server import Received, ScriptedServer, reply


def _fails(connection: socket.socket, _: Received) -> None:
    reply(connection, 500, {})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Blue answers; what goes to green fails there and is tried again on blue."""
    with ScriptedServer(_fails) as green:
        endpoint = green.base_url.removesuffix("/v1")
        gateway = {
            "environments": {"blue": {"replicas": 1}, "green": {"endpoints": [endpoint]}},
            "weights": {"blue": 50, "green": 50},
            "access_log": "stdout",
        }
        with running_stack(tmp_path_factory.mktemp("stack"), gateway=gateway) as running:
            yield running


def _ids(log: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    lines = log.read_text().splitlines()
    served, passed = request_entries(lines), gateway_entries(lines)
    return {e["request_id"]: e for e in served}, {e["request_id"]: e for e in passed}


def test_client_network_gateway_and_server_add_up_streamed_whole_and_tried_again(
    stack: RunningStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records, attempts = [], set()
    for streamed in (True, False):
        plan: RunPlan = plan_for(
            stack.gateway,
            requests=20,
            users=2,
            target=Target(url=stack.gateway, model="echo", dialect="completions", streamed=streamed),
            workload=Workload(prompt=Length(mean=40), output=Length(mean=5)),
        )
        sent = send(msgspec.structs.replace(plan, words=words_for(plan, "route"))).records
        assert {record.outcome for record in sent} == {Outcome.OK}, sent[0].detail
        ids = {record.request_id for record in sent}
        until("both have written a line for each request", lambda: all(ids <= set(e) for e in _ids(stack.log)))  # noqa: B023
        attempts |= {_ids(stack.log)[1][each]["attempts"] for each in ids}
        records += sent
    assert attempts == {1, 2}
    (tmp_path / REQUESTS_FILE).write_bytes(b"\n".join(map(msgspec.json.encode, records)))
    log = str(stack.log)
    ended = Command(capsys)("bench", "phases", str(tmp_path), "--server-log", log, "--gateway-log", log, "--json")
    assert ended.status == 0, ended.err
    found = json.loads(ended.out)
    assert (found["joined"], found["of"], found["impossible"]) == (40, 40, 0)
    assert list(found["parts"]) == ["client", "network", "gateway", "api", "queue", "prefill", "decode", "flush"]
    assert found["worst_gap"] < 0.001
    assert all(part["mean"] >= 0 for part in found["parts"].values())
