"""A valid run in the shapes of other tools; an INVALID one has no figures to give."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pyarrow.parquet as pq
import pytest

from podium.bench.exports import document, llm_d, requests_csv, vllm_bench
from podium.bench.figures import counts_of, summarise
from podium.bench.parquet import requests_parquet
from podium.bench.plan import Load
from podium.bench.record import Failure, RequestRecord
from podium.bench.result import Invalidity, Provenance, Reason, RunResult
from podium.core.errors import Conflict, InvalidRequest, MissingExtra
from support.load_plans import answered, plan_for

PLAN = plan_for(
    "http://127.0.0.1:1",
    load=Load(kind="constant", rate=10, seconds=10.0),
    warm_up_seconds=2.0,
    objectives={"ttft": 0.2},
)
RECORDS = [answered(i, 2 + i / 10, [2.1 + i / 10, 2.15 + i / 10, 2.2 + i / 10]) for i in range(100)]

NUMBER = {"type": ["number", "null"]}
STATISTICS = {
    "type": ["object", "null"],
    "required": ["units", "mean"],
    "properties": {
        "units": {"enum": ["count", "s", "s/token", "tokens/s", "queries/s"]},
        "mean": {"type": "number"},
        "stddev": {"type": ["number", "null"], "minimum": 0},
        **dict.fromkeys(("min", "p50", "p90", "p95", "p99", "p99p9", "max"), NUMBER),
    },
    "additionalProperties": False,
}


def _closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


# The members of version 0.2.1 of llm-d's benchmark report that we write, with their types, bounds and required ones;
# its objects are closed, so a member that it does not know would be refused.
LLM_D = _closed(
    ["run", "results"],
    version={"const": "0.2.1"},
    run=_closed(
        ["uid"],
        uid={"type": "string"},
        time=_closed(
            [],
            start={"type": "string", "format": "date-time"},
            end={"type": "string", "format": "date-time"},
            duration={"type": "string"},
        ),
        description={"type": "string"},
    ),
    results=_closed(
        [],
        request_performance=_closed(
            [],
            aggregate=_closed(
                [],
                requests=_closed(
                    ["total"],
                    total={"type": "integer", "minimum": 0},
                    failures={"type": "integer", "minimum": 0},
                    incomplete={"type": "integer", "minimum": 0},
                    input_length=STATISTICS,
                    output_length=STATISTICS,
                ),
                latency=_closed(
                    [],
                    **dict.fromkeys(
                        (
                            "time_to_first_token",
                            "normalized_time_per_output_token",
                            "time_per_output_token",
                            "inter_token_latency",
                            "request_latency",
                        ),
                        STATISTICS,
                    ),
                ),
                throughput=_closed(
                    [],
                    **dict.fromkeys(
                        ("input_token_rate", "output_token_rate", "total_token_rate", "request_rate"), STATISTICS
                    ),
                ),
            ),
        ),
    ),
)


def _result(*reasons: Reason) -> RunResult:
    invalid = [Invalidity(reason=reason, detail="why") for reason in reasons]
    provenance = Provenance(
        started_at="2026-01-01T00:00:00.000+00:00",
        command=[],
        podium_version="0",
        python_version="3.11",
        seed=1,
        target="http://127.0.0.1:1",
        model="m",
        dialect="completions",
    )
    return RunResult(
        name="r",
        plan=PLAN.without_secrets(),
        provenance=provenance,
        counts=counts_of(RECORDS),
        seconds=12.0,
        invalid=invalid,
        summary=None if invalid else summarise(RECORDS, PLAN),
    )


def test_the_llm_d_report_keeps_version_0_2_1_of_its_schema() -> None:
    report = msgspec.json.decode(msgspec.json.encode(llm_d(_result())))
    jsonschema.validate(report, LLM_D, format_checker=jsonschema.FormatChecker())
    aggregate = report["results"]["request_performance"]["aggregate"]
    assert aggregate["latency"]["time_to_first_token"]["mean"] == pytest.approx(0.099)
    assert aggregate["requests"]["total"] == 100


def test_the_vllm_shape_has_milliseconds_under_vllm_s_names() -> None:
    found = vllm_bench(_result())
    assert found["mean_ttft_ms"] == pytest.approx(99.0)
    assert found["median_tpot_ms"] == pytest.approx(50.0)
    assert found["p99_e2el_ms"] == pytest.approx(199.0)
    assert found["request_goodput"] == pytest.approx(10.0)
    assert (found["completed"], found["total_output_tokens"]) == (100, 300)


def test_an_invalid_run_has_no_figures_to_export() -> None:
    for shape in (llm_d, vllm_bench):
        with pytest.raises(InvalidRequest, match="schedule_delay"):
            shape(_result(Reason.SCHEDULE_DELAY))


def test_requests_are_a_row_each_and_no_file_is_replaced(tmp_path: Path) -> None:
    requests_csv(RECORDS, tmp_path / "requests.csv")
    with (tmp_path / "requests.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    assert (rows[3]["index"], rows[3]["outcome"]) == ("3", "ok")
    assert float(rows[3]["scheduled_at"]) == pytest.approx(2.3)
    with pytest.raises(Conflict):
        requests_csv(RECORDS, tmp_path / "requests.csv")
    with pytest.raises(Conflict):
        document("vllm", _result(), tmp_path / "requests.csv")


def test_parquet_has_every_member_with_its_type_and_the_stamps_of_tokens(tmp_path: Path) -> None:
    path = tmp_path / "requests.parquet"
    one = msgspec.structs.replace(RECORDS[0], server_seconds={"queue": 0.25}, failure=Failure.STALLED)
    requests_parquet([one, *RECORDS[1:]], path)
    table = pq.read_table(path)
    assert table.column_names == list(RequestRecord.__struct_fields__)
    first, second = table.slice(0, 2).to_pylist()
    assert first["token_at"] == pytest.approx([2.1, 2.15, 2.2])
    assert (first["failure"], first["server_seconds"]) == ("stalled", [("queue", 0.25)])
    assert (second["index"], second["failure"], second["warm_up"]) == (1, None, False)
    assert str(table.schema.field("first_token_at").type) == "double"
    with pytest.raises(Conflict):
        requests_parquet(RECORDS, path)


def test_parquet_without_its_library_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"podium\[parquet\]"):
        requests_parquet(RECORDS, tmp_path / "requests.parquet")
    assert not (tmp_path / "requests.parquet").exists()
