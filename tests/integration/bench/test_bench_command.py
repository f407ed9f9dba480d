"""``podium bench`` as a program: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest

from podium.bench.record import Outcome
from podium.bench.result import load, load_records, save
from podium.cli.bench import run as bench_run
from podium.testing.simulator.behaviour import Behaviour
from podium.testing.simulator.process import simulator
from support.command import PODIUM, Command, environment, podium
from support.deadline import until
from support.noop_target import noop

QUICK = ("--warm-up", "1s", "--duration", "3s", "--min-window", "1s", "--min-samples", "1", "--output-tokens", "6")


def test_a_run_prints_its_stamp_and_keeps_every_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here, run = Command(capsys), str(tmp_path / "runs/a")
    load_words = ("--concurrency", "2", "--requests", "40")
    with simulator(Behaviour(ttft=0.01, itl=0.002)) as server:
        ended = podium("bench", "run", "--url", server.url, *load_words, *QUICK, "--out", "runs/a", cwd=tmp_path)
        told = [truth for truth in server.truths().values() if truth.tokens == 6]
    assert ended.status in {0, 20}, ended.err  # whether this machine was quiet enough is not what is tested
    assert ended.out.startswith("VALID" if ended.status == 0 else "INVALID")
    records = load_records(tmp_path / "runs/a")
    assert {record.outcome for record in records} == {Outcome.OK}
    assert sum(not record.warm_up for record in records) == load(tmp_path / "runs/a").counts.offered == 40
    assert len(told) >= len(records)
    again = here("bench", "show", run)
    assert (again.status, again.out.splitlines()[0]) == (ended.status, ended.out.splitlines()[0])
    replaced = here("bench", "run", "--url", server.url, "--model", "m", "--rate", "1", "--out", run)
    assert replaced.status == 1
    assert "never replaced" in replaced.err
    assert here("bench", "export", run, "--as", "csv").status == 0
    assert len((tmp_path / "runs/a/requests.csv").read_text().splitlines()) == len(records) + 1


def test_in_band_errors_make_a_run_invalid_and_it_says_which(tmp_path: Path) -> None:
    faults = {"error_frame": 1.0}
    with simulator(Behaviour(ttft=0.01, faults=faults)) as server:
        ended = podium("bench", "run", "--url", server.url, "--rate", "20", *QUICK, cwd=tmp_path)
    assert ended.status == 3
    assert "in_band_error: an error frame in an answer with status 200" in ended.err


def test_a_dead_target_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    ended = podium("bench", "run", "--url", url, "--rate", "5", "--out", "runs/dead", cwd=tmp_path)
    assert ended.status == 3
    assert "unreachable" in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "runs/dead/result.json").exists()


def test_ctrl_c_leaves_a_whole_report_of_what_was_measured(tmp_path: Path) -> None:
    with simulator(Behaviour(ttft=0.01, itl=0.002)) as server:
        command = ("bench", "run", "--url", server.url, "--rate", "50", "--duration", "10m", "--json", "--out", "a")
        process = subprocess.Popen(
            [*PODIUM, *command, "--warm-up", "1s", "--output-tokens", "4"],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process:
            until("requests to be answered", lambda: len(server.truths()) > 150, seconds=60)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    printed: dict[str, Any] = json.loads(out)
    assert "interrupted" in [entry["reason"] for entry in printed["invalid"]]
    result, records = load(tmp_path / "a"), load_records(tmp_path / "a")
    assert result.summary is None
    assert result.counts.offered + result.counts.warm_up == len(records) > 50
    assert sum(record.outcome is Outcome.OK for record in records) > 50


def test_ctrl_c_while_the_report_is_written_costs_nothing_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*what: Any) -> None:
        signal.raise_signal(signal.SIGINT)  # the moment is too short to be met from outside
        save(*what)

    monkeypatch.setattr(bench_run, "save", interrupted)
    run = str(tmp_path / "a")
    with simulator(Behaviour(ttft=0.01, itl=0.002)) as server:
        words = ("--url", server.url, "--concurrency", "2", "--requests", "10", *QUICK, "--out", run)
        assert Command(capsys)("bench", "run", *words).status in {0, 20, 130}
    assert load(tmp_path / "a").counts.offered == 10
    assert (tmp_path / "a/samples.jsonl").exists()


def test_prompts_with_a_shared_prefix_can_be_asked_for(tmp_path: Path) -> None:
    words = ("--concurrency", "1", "--requests", "3", "--prompt-tokens", "20", "--prefix-tokens", "12")
    with simulator(Behaviour(ttft=0.01, itl=0.002)) as server:
        ended = podium("bench", "run", "--url", server.url, *words, *QUICK, "--out", "a", cwd=tmp_path)
    assert ended.status in {0, 20}, ended.err
    assert {record.prompt_tokens_reported for record in load_records(tmp_path / "a")} == {20}


def test_whole_answers_are_measured_from_end_to_end_and_nothing_else_is_claimed(tmp_path: Path) -> None:
    with noop() as url:
        load_words = ("--concurrency", "2", "--requests", "40", "--api", "embeddings", "--inputs", "3")
        ended = podium("bench", "run", "--url", url, *load_words, *QUICK, "--out", "a", "--json", cwd=tmp_path)
    assert ended.status in {0, 20}, ended.err
    records = load_records(tmp_path / "a")
    assert {record.outcome for record in records} == {Outcome.OK}
    assert all(record.first_token_at is None and record.last_token_at for record in records)
    assert any("TTFT, TPOT and ITL are not defined" in note for note in json.loads(ended.out)["notes"])


def _started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A command that is still running, in a process group of its own."""
    return subprocess.Popen(
        [*PODIUM, *words],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,
    )


def test_ctrl_c_in_a_search_prints_and_writes_what_the_runs_until_then_say(tmp_path: Path) -> None:
    with simulator(Behaviour(ttft=0.01, itl=0.002)) as server:
        command = ("bench", "find-max", "--url", server.url, "--slo", "e2e p95 < 10s", "--json", "--out", "a")
        quick = ("--start", "40", "--duration", "2s", "--warm-up", "1s", "--requests", "100", "--output-tokens", "4")
        process = _started(tmp_path, *command, *quick)
        with process:
            until("a run to be over", (tmp_path / "a/run-01/result.json").exists, seconds=60)
            known = len(server.truths())
            until("the next one to send", lambda: len(server.truths()) > known + 5, seconds=60)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    printed: dict[str, Any] = json.loads(out)
    assert printed["interrupted"]
    assert printed == json.loads((tmp_path / "a/search.json").read_text())
    assert printed["found"]["fails"] is None


def test_wrong_options_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = ("--url", "http://127.0.0.1:9", "--model", "m", "--out", str(tmp_path / "a"))
    for arguments, words in (
        ((), "one of --concurrency, --rate, --stages and --trace is needed"),
        (("--rate", "1", "--concurrency", "1"), "--concurrency and --rate"),
        (("--rate", "1", "--prompt-tokens", "many"), "--prompt-tokens many"),
        (("--rate", "1", "--arrivals", "ramp"), "--end-rate"),
        (("--stages", "5"), "RATExSECONDS"),
        (("--rate", "1", "--objective", "speed=1"), "--objective speed=1"),
        (("--concurrency", "1", "--turns", "3"), "conversations need the chat dialect"),
        (
            ("--rate", "1", "--no-stream", "--objective", "ttft=1"),
            "ttft: not defined for answers that are not streamed",
        ),
        (("--rate", "1", "--no-stream", "--cancel-share", "0.5"), "only answers that are streamed"),
        (("--rate", "1", "--inputs", "2"), "several inputs need one of"),
        (("--rate", "1", "--prefix-tokens", "128"), "a shared prefix of 128 tokens needs longer prompts than 128"),
        (("--rate", "1", "--think", "2"), "--think: only the users of --concurrency pause"),
        (("--rate", "1", "--speed", "2"), "--speed goes with --trace"),
        (("--rate", "1", "--burstiness", "0.5"), "--burstiness goes with --arrivals gamma"),
        (("--concurrency", "1", "--arrivals", "gamma"), "--arrivals goes with --rate"),
        (("--rate", "1", "--url", "http://me:secret@127.0.0.1:9"), "no user and password there"),
        (("--stages", "5x9", "--duration", "9s"), "--duration: --stages has a length of its own"),
    ):
        ended = Command(capsys)("bench", "run", *target, *arguments)
        assert ended.status in {1, 2}
        assert words in ended.err


def test_ctrl_c_in_a_sweep_keeps_the_runs_that_are_over_and_leaves_no_server_behind(tmp_path: Path) -> None:
    """As a terminal sends it: to the sweep, to the server that it measures, and to that server's worker at once."""
    engine = {"kind": "echo", "token_interval_seconds": 0.01}
    models = {"models": [{"name": "echo", "source": "none", "engine": engine}]}
    (tmp_path / "podium.yaml").write_text(json.dumps(models))
    command = ("bench", "sweep", "--concurrencies", "1,2,4", "--json", "--out", "a")
    quick = ("--duration", "2s", "--warm-up", "0s", "--min-window", "1s", "--min-samples", "1", "--output-tokens", "4")
    process = _started(tmp_path, *command, *quick)
    with process:
        until("a run to be over", (tmp_path / "a/01-01/result.json").exists, seconds=90)
        children = psutil.Process(process.pid).children(recursive=True)
        started = [" ".join(child.cmdline()) for child in children]
        os.killpg(process.pid, signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert any("serve" in command_line for command_line in started)
    (point,) = json.loads(out)
    assert [point] == json.loads((tmp_path / "a/sweep.json").read_text())
    assert (point["run"], point["load"]) == ("01-01", "1 users")
    assert load(tmp_path / "a/01-01").counts.offered == len(load_records(tmp_path / "a/01-01")) > 0
    assert not (tmp_path / "a/01-02").exists()
    until("nothing is left", lambda: not any(map(_is_alive, children)))


def _is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
