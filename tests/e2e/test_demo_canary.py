"""``podium demo canary``, whole: Envoy, controller, servers, a fault on the socket, and a client that counts."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from support.command import PODIUM, environment, podium
from support.deadline import until


def test_a_bad_version_leaves_and_no_client_notices(tmp_path: Path) -> None:
    """Whatever settings the shell holds for servers of its own."""
    ended = subprocess.run(
        [*PODIUM, "demo", "canary", "--rate", "50", "--json"],
        cwd=tmp_path,
        env=environment(PODIUM__ACCESS__ANONYMOUS="never"),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    shown = json.loads(ended.stdout.splitlines()[-1])
    assert shown["outcome"] == "rolled-back"
    assert shown["client_errors"] == 0
    assert shown["client_requests"] > shown["canary_attempts"] >= shown["canary_failures"] > 0
    assert 0 < shown["detected_after_seconds"] <= shown["rolled_back_after_seconds"]
    assert "rolled-back" in ended.stderr
    assert re.search("applying|acked|observing", ended.stderr)  # any one of them may pass between two looks
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing_behind(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [*PODIUM, "demo", "canary"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    try:
        until("the gateway runs", lambda: _envoys(process.pid), seconds=60)
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, number)
        assert process.wait(30) == 130
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    until("all are gone", lambda: not any(child.is_running() for child in children), seconds=20)
    assert list(tmp_path.iterdir()) == []


def _envoys(pid: int) -> list[psutil.Process]:
    return [child for child in psutil.Process(pid).children(recursive=True) if "envoy" in child.name()]


@pytest.mark.parametrize("words", [("--rate", "0"), ("--rate", "101"), ("--rps", "0"), ("--rps", "201")])
def test_impossible_numbers_are_refused(tmp_path: Path, words: tuple[str, str]) -> None:
    ended = podium("demo", "canary", *words, cwd=tmp_path)
    assert ended.status == 2
    assert f"error: {words[0]} {words[1]}; needed: " in ended.err


def test_what_cannot_run_is_told_with_the_reason(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    done = subprocess.run(
        [*PODIUM, "demo", "canary"],
        env=environment(TMPDIR=str(long)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "set TMPDIR to a shorter one" in done.stderr.splitlines()[-1]
