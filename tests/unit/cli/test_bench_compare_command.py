"""``podium bench compare`` of saved runs, and ``podium bench report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from podium.bench.result import Invalidity, Reason, save
from podium.cli.exit_codes import ExitCode
from support.bench_runs import request, run_of, run_with
from support.command import Command

FIGURES = {"ttft_scheduled": 0.1, "tpot": 0.02, "e2e_scheduled": 2.0, "output_throughput": 100.0}


def write_runs(folder: Path, slowness: float, *, pairs: int = 8) -> None:
    """Runs of A and B in turns; those of B take ``slowness`` times as long."""
    for number in range(2 * pairs):
        side, factor = ("A", 1.0) if number % 2 == 0 else ("B", slowness)
        jitter = 1 + 0.001 * (number * 7 % 5)
        figures: dict[str, Any] = {name: value * factor * jitter for name, value in FIGURES.items()}
        figures["output_throughput"] = 100.0 / factor / jitter
        save(folder / side / f"{number:02d}", run_with(started_at=f"2026-11-27T12:{number:02d}:00", **figures), [])


@pytest.mark.parametrize(("slowness", "status"), [(1.05, ExitCode.WORSE), (1.0, ExitCode.OK), (0.9, ExitCode.OK)])
def test_the_exit_status_says_whether_b_is_worse(
    command: Command, tmp_path: Path, slowness: float, status: ExitCode
) -> None:
    write_runs(tmp_path, slowness)
    ended = command("bench", "compare", "A", "B")
    assert ended.status == status
    assert "8 runs of A, 8 of B; sign-flip test of paired runs" in ended.out


def test_the_answer_is_json_for_programs(command: Command, tmp_path: Path) -> None:
    write_runs(tmp_path, 1.05)
    found = json.loads(command("bench", "compare", "A", "B", "--metric", "ttft_p95", "--json").out)
    assert found["verdict"] == "worse"
    assert [one["metric"] for one in found["differences"]] == ["ttft_p95"]


def test_too_few_runs_leave_it_open_and_must_know_says_so(command: Command, tmp_path: Path) -> None:
    write_runs(tmp_path, 1.05, pairs=3)
    assert command("bench", "compare", "A", "B").status == ExitCode.OK
    ended = command("bench", "compare", "A", "B", "--must-know")
    assert ended.status == ExitCode.UNDECIDED
    assert "too few runs" in ended.out


def test_runs_and_servers_are_not_mixed(command: Command, tmp_path: Path) -> None:
    write_runs(tmp_path, 1.0, pairs=2)
    ended = command("bench", "compare", "A", "http://127.0.0.1:1", "--rate", "1")
    assert ended.status == ExitCode.USAGE
    assert "both be saved runs, or both be servers" in ended.err


def test_too_much_noise_is_refused_before_the_first_run(command: Command) -> None:
    ended = command("bench", "compare", "http://127.0.0.1:1", "http://127.0.0.1:2", "--rate", "1", "--noise", "0.5")
    assert ended.status == ExitCode.USAGE
    assert "more than 64 pairs" in ended.err


def test_a_report_is_written_once_and_never_replaced(command: Command, tmp_path: Path) -> None:
    records = [request(0.1 * number, index=number) for number in range(320)]
    save(tmp_path / "run", run_of(records), records)
    ended = command("bench", "report", "run", "--price", "1")
    assert ended.status == ExitCode.OK
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")
    again = command("bench", "report", "run")
    assert again.status == ExitCode.FAILED
    assert "is there already; name another file" in again.err


def test_a_report_on_an_invalid_run_ends_with_its_status(command: Command, tmp_path: Path) -> None:
    invalid = [Invalidity(reason=Reason.NO_WARM_UP, detail="no warm-up")]
    save(tmp_path / "run", run_with(invalid=invalid), [])
    assert command("bench", "report", "run").status == ExitCode.INVALID_RUN
    assert "no warm-up" in (tmp_path / "run" / "report.html").read_text()


def test_a_folder_without_a_run_is_refused(command: Command) -> None:
    ended = command("bench", "report", ".")
    assert ended.status == ExitCode.USAGE
    assert "no run there" in ended.err
