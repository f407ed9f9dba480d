"""One page in the formats that scrapers ask for."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from podium.api.record import RequestRecord
from podium.core.generation import Usage
from podium.core.trace_context import TraceContext
from podium.telemetry.exposition import OPENMETRICS, PROTOBUF, TEXT, Formats
from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.model_labels import MOST_VERSIONS
from podium.telemetry.protobuf_format import MESSAGES
from podium.telemetry.table import METRICS

NATIVE_SCRAPER = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
SCRAPER = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5"
)
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LASTING = {"route": "/generate", "version": "1", "outcome_class": "ok"}
"""Labels of a duration, beside the model's."""


def ended(**changed: Any) -> RequestRecord:
    """A request that was computed."""
    given = {"route": "/generate", "model": "m", "version": "1", "outcome": "ok", "usage": Usage(3, 5)}
    times = {"queued_at_seconds": 0.01, "running_at_seconds": 0.03, "begun_at_seconds": 0.13, "e2e_seconds": 0.6}
    trace = TraceContext(TRACE, SPAN)
    return RequestRecord("r", trace, **{**given, **times, "generated_at_seconds": 0.53, **changed})


def measured(*records: RequestRecord, **made: Any) -> ServerMetrics:
    """The metrics of requests that have ended."""
    metrics = ServerMetrics(list, version="1", **made)
    for record in records:
        metrics.received(record)
        metrics.finished(record)
    return metrics


def values(metrics: ServerMetrics, name: str) -> dict[str, float]:
    """The values of one series name by model."""
    families = read_text(metrics.exposition().body.decode())
    return {
        each.labels.get("model", ""): each.value
        for family in families
        for each in family.samples
        if each.name == name and each.labels.get("outcome_class", "ok") == "ok"
    }


@pytest.mark.parametrize(
    ("accept", "native", "content_type"),
    [
        ("", False, TEXT),
        ("*/*", True, TEXT),
        ("text/plain", True, TEXT),
        (SCRAPER, False, OPENMETRICS),
        (SCRAPER, True, OPENMETRICS),
        (NATIVE_SCRAPER, False, OPENMETRICS),
        (NATIVE_SCRAPER, True, PROTOBUF),
        ("application/vnd.google.protobuf;proto=another.Type;encoding=delimited", True, TEXT),
    ],
)
def test_the_format_is_the_first_that_is_asked_for_and_allowed(accept: str, native: bool, content_type: str) -> None:  # noqa: FBT001
    page = measured(formats=Formats(native_histograms=native)).exposition(accept)
    assert page.content_type == content_type
    assert page.body


def test_openmetrics_has_examples_that_name_their_trace() -> None:
    page = measured(ended()).exposition(SCRAPER).body.decode()
    found = {
        each.name: tuple(each.exemplar.labels[name] for name in ("trace_id", "span_id"))
        for family in read_openmetrics(page)  # type: ignore[no-untyped-call]
        for each in family.samples
        if each.exemplar
    }
    assert found["podium_time_to_first_token_seconds_bucket"] == (TRACE, SPAN)
    assert found["podium_request_duration_seconds_bucket"] == (TRACE, SPAN)


def test_where_traces_are_recorded_only_those_are_examples() -> None:
    assert TRACE not in measured(ended(), sampled_only=True).exposition(SCRAPER).body.decode()


def test_protobuf_says_the_same_as_text() -> None:
    metrics = measured(ended(), ended(e2e_seconds=1.5), formats=Formats(native_histograms=True))
    families = {family.name: family for family in read_delimited(metrics.exposition(NATIVE_SCRAPER).body)}
    told = {family.name + ("_total" if family.type == "counter" else "") for family in read_text(text_of(metrics))}
    assert {name for name in told if not name.endswith("_created")} == set(families)
    (duration,) = families["podium_request_duration_seconds"].metric
    assert (duration.histogram.sample_count, duration.histogram.sample_sum) == (2, pytest.approx(2.1))
    assert sum(span.length for span in duration.histogram.positive_span) == len(duration.histogram.positive_delta)
    assert {pair.name: pair.value for pair in duration.label} == {**LASTING, "model": "m"}
    (received,) = families["podium_requests_received_total"].metric
    assert received.counter.value == 2


def text_of(metrics: ServerMetrics) -> str:
    return metrics.exposition().body.decode()


def read_delimited(body: bytes) -> list[Any]:
    """Messages, each with its length before it."""
    found, at = [], 0
    while at < len(body):
        size = shift = 0
        while True:
            byte = body[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(MESSAGES["MetricFamily"].FromString(body[at : at + size]))
        at += size
    return found


def test_what_engines_take_is_counted_of_computed_answers_alone() -> None:
    """Nine of ten answers are kept ones, and the time to the first token says what the tenth waited."""
    kept = ended(queued_at_seconds=None, running_at_seconds=None, begun_at_seconds=0.0001)
    metrics = measured(ended(), *[kept] * 9, ended(outcome="deadline"))
    assert values(metrics, "podium_request_duration_seconds_count")["m"] == 10
    assert values(metrics, "podium_time_to_first_token_seconds_count")["m"] == 1
    assert values(metrics, "podium_time_per_output_token_seconds_count")["m"] == 1
    assert values(metrics, "podium_time_to_first_token_seconds_sum")["m"] == pytest.approx(0.13)
    assert values(metrics, "podium_prefill_duration_seconds_sum")["m"] == pytest.approx(0.1)
    assert values(metrics, "podium_decode_duration_seconds_sum")["m"] == pytest.approx(0.4)
    assert values(metrics, "podium_prefill_duration_seconds_count")["m"] == 1
    assert values(metrics, "podium_queue_duration_seconds_count")["m"] == 2


def test_how_long_failures_took_is_told_apart_from_answers() -> None:
    metrics = measured(ended(), ended(outcome="overloaded", e2e_seconds=0.001), ended(outcome="cancelled"))
    samples = [each for family in read_text(text_of(metrics)) for each in family.samples]
    counts = {
        each.labels["outcome_class"]: each.value
        for each in samples
        if each.name == "podium_request_duration_seconds_bucket" and each.labels["le"] == "0.01"
    }
    assert counts == {"ok": 0, "bad": 1, "excluded": 0}


def test_a_request_in_flight_is_in_the_phase_that_it_has_reached() -> None:
    metrics, record = ServerMetrics(list, version="1"), RequestRecord("r", route="/generate")

    def phases() -> dict[str, float]:
        families = read_text(text_of(metrics))
        samples = [each for family in families for each in family.samples if each.name == "podium_requests_in_flight"]
        return {each.labels["phase"]: each.value for each in samples if each.value}

    metrics.received(record)
    assert phases() == {"admit": 1}
    record.enter("queue")
    assert phases() == {"queue": 1}
    record.enter("run")
    assert phases() == {"run": 1}
    record.generated_at_seconds = 1.0
    assert phases() == {"flush": 1}
    metrics.finished(record)
    assert phases() == {}


def test_versions_beyond_the_cap_are_other_and_the_page_grows_no_more() -> None:
    full = measured(*(ended(version=str(number)) for number in range(MOST_VERSIONS)))
    lines = text_of(full).count("\n")
    for number in range(1000):
        record = ended(version=f"more-{number}")
        full.received(record)
        full.finished(record)
    assert text_of(full).count("\n") < lines * (1 + 2 / MOST_VERSIONS)
    assert values(full, "podium_request_duration_seconds_count")["other"] == 1000
    assert values(full, "podium_metrics_series_dropped_total") == {"": 1000}


def test_names_of_vllm_are_twins_and_only_where_they_are_wanted() -> None:
    plain, both = measured(ended()), measured(ended(), formats=Formats(vllm_names=True))
    assert "vllm:" not in text_of(plain)
    assert 'vllm:prompt_tokens_total{model_name="m",version="1"} 0.0' in both.exposition(SCRAPER).body.decode()
    found = {family.name: family for family in read_text(text_of(both))}
    twins = {metric.vllm.removesuffix("_total") for metric in METRICS if metric.vllm}
    assert {name for name in found if name.startswith("vllm:") and not name.endswith("_created")} == twins
    count = next(each for each in found["vllm:e2e_request_latency_seconds"].samples if each.name.endswith("_count"))
    assert (count.labels, count.value) == ({**LASTING, "model_name": "m"}, 1)
