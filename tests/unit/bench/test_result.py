"""The file of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.bench.record import FAILURE_MEANINGS, Failure, Outcome, RequestRecord
from podium.bench.result import Invalidity, Provenance, Reason, RunResult, load, load_records, save
from podium.bench.summary import Counts
from podium.core.errors import Conflict, InvalidRequest, NotFound


def _result() -> RunResult:
    provenance = Provenance(
        started_at="2026-01-01T00:00:00Z",
        command=["podium", "bench", "run"],
        podium_version="0",
        python_version="3.11",
        seed=1,
        target="http://127.0.0.1:1",
        model="m",
        dialect="completions",
    )
    invalid = [Invalidity(reason=Reason.WINDOW_TOO_SHORT, detail="2 s")]
    return RunResult(name="r", plan={}, provenance=provenance, counts=Counts(offered=2), seconds=2.0, invalid=invalid)


def _records() -> list[RequestRecord]:
    return [
        RequestRecord(index=1, scheduled_at=0.5, failure=Failure.TRUNCATED, outcome=Outcome.FAILED),
        RequestRecord(index=0, scheduled_at=0.25, sent_at=0.5, token_at=[1.0, 1.5], outcome=Outcome.OK),
    ]


def test_a_run_is_read_as_it_was_written_and_its_requests_come_by_index(tmp_path: Path) -> None:
    save(tmp_path / "run", _result(), _records())
    assert load(tmp_path / "run") == load(tmp_path / "run" / "result.json") == _result()
    assert load_records(tmp_path / "run") == sorted(_records(), key=lambda record: record.index)


def test_results_are_never_replaced(tmp_path: Path) -> None:
    save(tmp_path / "run", _result(), _records())
    before = (tmp_path / "run" / "result.json").read_bytes()
    with pytest.raises(Conflict):
        save(tmp_path / "run", _result(), [])
    assert (tmp_path / "run" / "result.json").read_bytes() == before


def test_a_folder_without_a_run_and_a_file_of_another_kind_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        load(tmp_path)
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(InvalidRequest):
        load(tmp_path)


def test_every_failure_has_a_meaning() -> None:
    assert set(FAILURE_MEANINGS) == set(Failure)
