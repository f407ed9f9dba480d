"""What is sent to a collector, and what becomes of it when the collector is away, slow to come, or full of refusals."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from podium.api.record import RequestRecord
from podium.config.settings import Settings
from podium.config.telemetry import Telemetry
from podium.core.errors import ConfigurationError
from podium.core.trace_context import TraceContext
from podium.server.observers import otlp_export
from podium.telemetry.metrics import ServerMetrics
from podium.telemetry.otlp.export import MOST_WAITING, OtlpExport, Sender
from support.otlp_collector import running_collector, values
from support.ports import free_port
from support.quiet_logs import captured_logs


def ended(number: int = 1, *, sampled: bool = True, route: str = "/generate") -> RequestRecord:
    trace = TraceContext(f"{number:032x}", f"{number:016x}", sampled=sampled)
    return RequestRecord(f"r{number}", trace, route=route, method="POST", outcome="ok", e2e_seconds=0.5)


def export(url: str, **given: Any) -> OtlpExport:
    settings = Telemetry(otlp_endpoint=url, otlp_metrics_seconds=0, **given)
    return OtlpExport(settings, Sender("1", "here:1"), quiet={"/livez"})


def counts(given: OtlpExport) -> dict[str, float]:
    (family,) = given.collect()
    return {each.labels["result"]: each.value for each in family.samples if each.labels["signal"] == "trace"}


async def run(given: OtlpExport, *records: RequestRecord) -> None:
    async with given:
        for record in records:
            given.finished(record)


def test_what_waits_at_the_end_is_sent_and_only_what_is_sampled() -> None:
    with running_collector() as collector:
        given = export(collector.url)
        asyncio.run(run(given, ended(1), ended(2, sampled=False), ended(3, route="/livez")))
        assert [span.trace_id for span in collector.spans] == [f"{1:032x}"]
    assert counts(given) == {"sent": 1, "failed": 0, "dropped": 0}


def test_more_than_may_wait_is_dropped_and_counted() -> None:
    with running_collector() as collector:
        given = export(collector.url)
        asyncio.run(run(given, *(ended(number + 1) for number in range(MOST_WAITING + 5))))
        assert len(collector.spans) == MOST_WAITING
    assert counts(given) == {"sent": MOST_WAITING, "failed": 0, "dropped": 5}


@pytest.mark.parametrize("answers", [False, True], ids=["away", "refusing"])
def test_a_collector_that_takes_nothing_is_told_once_and_holds_nobody_up(answers: bool) -> None:  # noqa: FBT001
    with running_collector() as collector, captured_logs() as log:
        collector.status = 400
        given = export(collector.url if answers else f"http://127.0.0.1:{free_port()}")
        asyncio.run(run(given, ended(1), ended(2)))
    assert counts(given)["failed"] == 2
    assert [entry["event"] for entry in log.entries] == ["the collector takes none"]


def test_headers_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer t\n\n")
    with running_collector() as collector:
        asyncio.run(run(export(collector.url, otlp_headers_file=str(file)), ended()))
        assert collector.headers[0]["authorization"] == "Bearer t"


@pytest.mark.parametrize("content", ["no colon", ": no name"])
def test_a_file_of_headers_that_is_none_stops_the_program(content: str, tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text(content)
    with pytest.raises(ConfigurationError, match="line 1"):
        export("http://127.0.0.1:4318", otlp_headers_file=str(file))
    with pytest.raises(ConfigurationError, match="cannot be read"):
        export("http://127.0.0.1:4318", otlp_headers_file=str(tmp_path / "none"))


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "podium.telemetry.otlp.export", None)
    settings = Settings.model_validate({"telemetry": {"otlp_endpoint": "http://127.0.0.1:4318"}})
    with pytest.raises(ConfigurationError, match=r"pip install 'podium\[otel\]'"):
        otlp_export(settings, "1")
    assert otlp_export(Settings(), "1") is None


_REPLACED = """
import opentelemetry.proto.common.v1.common_pb2 as messages
del messages.InstrumentationScope
from podium.config.settings import Settings
from podium.server.observers import otlp_export
otlp_export(Settings.model_validate({"telemetry": {"otlp_endpoint": "http://127.0.0.1:4318"}}), "1")
"""


def test_messages_that_another_package_replaced_are_told_with_what_mends_it() -> None:
    """xds-protos brings older ones to the same place; the package that is installed last wins."""
    done = subprocess.run([sys.executable, "-c", _REPLACED], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1].endswith("pip install --force-reinstall --no-deps opentelemetry-proto")


def test_how_a_request_ended_is_told_as_the_conventions_have_it_and_with_an_example() -> None:
    metrics = ServerMetrics(list, version="1")
    for record in (ended(1), replace(ended(2), model="m", outcome="overloaded"), replace(ended(3), model="m")):
        metrics.received(record)
        metrics.finished(record)

    async def work(given: OtlpExport) -> None:
        given.send_metrics_of(metrics.registry)
        async with given:
            pass

    with running_collector() as collector:
        settings = Telemetry(otlp_endpoint=collector.url, otlp_metrics_seconds=3600)
        asyncio.run(work(OtlpExport(settings, Sender("1", "here:1"))))
        points = collector.metrics["gen_ai.server.request.duration"]
    told = {values(point.attributes).get("error.type"): point.exemplars for point in points}
    assert {kind: [each.trace_id.hex() for each in examples] for kind, examples in told.items()} == {
        "bad": [f"{2:032x}"],
        None: [f"{3:032x}"],
    }
    assert all("outcome_class" not in values(point.attributes) for point in points)


def test_metrics_are_sent_until_the_end() -> None:
    async def work(given: OtlpExport) -> None:
        registry = CollectorRegistry()
        registry.register(given)
        given.send_metrics_of(registry)
        async with given:
            pass

    with running_collector() as collector:
        settings = Telemetry(otlp_endpoint=collector.url, otlp_metrics_seconds=3600)
        asyncio.run(work(OtlpExport(settings, Sender("1", "here:1"))))
        assert list(collector.metrics) == ["podium_otlp_exports_total"]
