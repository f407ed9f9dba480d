"""One trace from a caller through Envoy and a server to a collector, as real processes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.deadline import until
from support.gateway_stack import RunningStack, logged, running_stack
from support.otlp_collector import Collector, Span, running_collector, values

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PHASES = ["admission", "queue", "prefill", "decode", "flush"]
SERVER, CLIENT = 2, 3
CHAT = {"model": "echo", "messages": [{"role": "user", "content": "a secret word"}], "max_tokens": 4, "seed": 7}
PAUSE = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.01}}


@dataclass(frozen=True)
class Traced:
    """A stack, and the collector that it sends to."""

    stack: RunningStack
    collector: Collector

    def ask(self, trace_id: str, *, flags: str = "01", **body: object) -> httpx.Response:
        """One chat whose caller has a trace."""
        headers = {"traceparent": f"00-{trace_id}-{PARENT}-{flags}", "tracestate": "vendor=1"}
        address = f"{self.stack.gateway}/v1/chat/completions"
        return httpx.post(address, json={**CHAT, **body}, headers=headers, timeout=30, trust_env=False)

    def spans(self, trace_id: str) -> dict[str, Span]:
        """The spans of a finished trace by service and name."""
        until("the trace is whole", lambda: {"flush", "gateway"} <= self._ends(trace_id), seconds=30)
        return {f"{span.service}: {span.name}": span for span in self.collector.trace(trace_id)}

    def _ends(self, trace_id: str) -> set[str]:
        spans = self.collector.trace(trace_id)
        return {"gateway" for span in spans if span.service == "podium-gateway"} | {span.name for span in spans}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """A gateway and one server, which tell a collector everything."""
    with running_collector() as collector:
        telemetry = {"otlp_endpoint": collector.url, "otlp_metrics_seconds": 1}
        folder = tmp_path_factory.mktemp("traced")
        with running_stack(folder, models=[PAUSE], telemetry=telemetry, logs={"format": "json"}) as stack:
            yield Traced(stack, collector)


def test_a_callers_trace_holds_the_gateway_the_server_and_its_phases(traced: Traced) -> None:
    answer = traced.ask(TRACE)
    assert answer.status_code == 200
    traced.spans(TRACE)
    spans = traced.collector.trace(TRACE)
    by_id = {span.span_id: span for span in spans}
    (server,) = [span for span in spans if span.service == "podium" and span.kind == SERVER]
    (entry,) = [span for span in spans if span.parent_id == PARENT]
    assert (entry.service, entry.kind) == ("podium-gateway", SERVER)
    attempt = by_id[server.parent_id]
    assert (attempt.service, attempt.kind, attempt.parent_id) == ("podium-gateway", CLIENT, entry.span_id)
    phases = [span for span in spans if span.parent_id == server.span_id]
    assert [span.name for span in phases] == PHASES
    assert (phases[0].start, server.name) == (server.start, "chat echo")
    assert all(before.end == after.start for before, after in itertools.pairwise(phases))
    assert abs(phases[-1].end - server.end) < 1_000_000


def test_the_servers_span_tells_the_call_by_the_conventions_and_no_text_of_it(traced: Traced) -> None:
    trace_id = TRACE.replace("4b", "4c")
    request_id = traced.ask(trace_id).headers["x-request-id"]
    spans = traced.spans(trace_id)
    found = spans["podium: chat echo"].attributes
    assert found["gen_ai.operation.name"] == "chat"
    assert (found["gen_ai.provider.name"], found["gen_ai.request.model"]) == ("podium", "echo")
    assert (found["gen_ai.request.max_tokens"], found["gen_ai.request.seed"]) == (4, 7)
    assert found["gen_ai.response.finish_reasons"] == ["length"]
    assert found["gen_ai.usage.output_tokens"] == 4
    assert (found["http.route"], found["http.response.status_code"]) == ("/v1/chat/completions", 200)
    assert found["podium.request_id"] == request_id
    assert "secret" not in str(spans)


def test_an_error_is_told_with_its_code(traced: Traced) -> None:
    trace_id = TRACE.replace("4b", "4d")
    assert traced.ask(trace_id, model="nobody").status_code == 404
    until("the span is there", lambda: any(s.service == "podium" for s in traced.collector.trace(trace_id)), seconds=30)
    (server,) = [span for span in traced.collector.trace(trace_id) if span.service == "podium"]
    assert server.name == "POST /v1/chat/completions"
    assert server.attributes["error.type"] == "model_not_found"


def test_the_log_line_and_the_answer_name_the_trace(traced: Traced) -> None:
    trace_id = TRACE.replace("4b", "4e")
    answer = traced.ask(trace_id)
    given = re.fullmatch(rf"00-{trace_id}-([0-9a-f]{{16}})-01", answer.headers["traceresponse"])
    assert given is not None
    wanted = answer.headers["x-request-id"]

    def line() -> dict[str, object] | None:
        lines = logged(traced.stack, "blue-1")
        return next((each for each in lines if each["event"] == "request" and each["request_id"] == wanted), None)

    found = until("the line is written", line)
    assert (found["trace_id"], found["span_id"]) == (trace_id, given[1])


def test_the_gateway_changes_no_request_id_of_a_caller(traced: Traced) -> None:
    given = "3f2b8c1e-7a44-4b1d-9c55-0d1e2f3a4b5c"
    headers = {"x-request-id": given, "traceparent": f"00-{TRACE.replace('4b', '5a')}-{PARENT}-01"}
    address = f"{traced.stack.gateway}/v1/chat/completions"
    answer = httpx.post(address, json=CHAT, headers=headers, timeout=30, trust_env=False)
    assert answer.headers["x-request-id"] == given


def test_a_trace_that_its_caller_does_not_record_is_not_recorded_here(traced: Traced) -> None:
    quiet, loud = TRACE.replace("4b", "5b"), TRACE.replace("4b", "5c")
    assert traced.ask(quiet, flags="00").headers["traceresponse"].endswith("-00")
    traced.ask(loud)
    traced.spans(loud)  # sent later, and it has arrived
    assert traced.collector.trace(quiet) == []


def test_the_metrics_are_sent_under_our_names_and_under_those_of_the_conventions(traced: Traced) -> None:
    traced.ask(TRACE.replace("4b", "5d"))
    names = {"podium_requests_total", "gen_ai.server.time_to_first_token", "podium_time_to_first_token_seconds"}
    until("metrics have come", lambda: names <= set(traced.collector.metrics), seconds=30)
    until("and of a request", lambda: traced.collector.metrics["gen_ai.server.time_to_first_token"], seconds=30)
    (point,) = traced.collector.metrics["gen_ai.server.time_to_first_token"]
    (twin,) = traced.collector.metrics["podium_time_to_first_token_seconds"]
    assert point.count == twin.count >= 1
    examples = {(each.trace_id.hex(), each.span_id.hex()) for each in twin.exemplars}
    assert examples
    assert examples <= {(span.trace_id, span.span_id) for span in traced.collector.spans}
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert {each.key: each.value.string_value for each in point.attributes} == {
        "gen_ai.provider.name": "podium",
        "gen_ai.request.model": "echo",
        "gen_ai.response.model": "echo",
    }


def test_a_kept_answer_has_a_duration_and_no_time_to_the_first_token_of_an_engine(traced: Traced) -> None:
    kept = [traced.ask(TRACE.replace("4b", f"6{number}"), seed=11) for number in range(3)][1:]
    assert [answer.headers["x-podium-cache"] for answer in kept] == ["hit", "hit"]

    def not_computed() -> int:
        """Answers that have a duration alone, so far."""
        page = dict(traced.collector.metrics)
        durations = [int(each.count) for each in page.get("podium_request_duration_seconds", ()) if _is_chat(each)]
        return sum(durations) - sum(int(each.count) for each in page.get("podium_time_to_first_token_seconds", ()))

    until("they are told", lambda: not_computed() >= len(kept), seconds=30)


def _is_chat(point: Any) -> bool:
    labels = values(point.attributes)
    return (labels["route"], labels["outcome_class"]) == ("/v1/chat/completions", "ok")


def test_a_trace_passes_a_gateway_that_has_no_collector(tmp_path: Path) -> None:
    """Without the libraries too: nothing of OpenTelemetry is imported, and the trace goes on."""
    with running_stack(tmp_path, models=[PAUSE]) as stack:
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        answer = httpx.post(f"{stack.gateway}/v1/chat/completions", json=CHAT, headers=headers, trust_env=False)
    assert answer.headers["traceresponse"].split("-")[1] == TRACE
