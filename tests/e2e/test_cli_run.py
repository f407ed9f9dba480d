"""``podium run`` as a person starts it: a process, the demo model, no server needed."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from support.command import PODIUM, environment, podium
from support.deadline import until
from support.ports import free_port

NOWHERE = f"server.port={free_port()}"


def test_one_command_gives_text_of_the_demo_model(tmp_path: Path) -> None:
    ended = podium("run", "The configuration file", "--max-tokens", "8", "--set", NOWHERE, cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert len(ended.out.strip()) > 3
    assert "Traceback" not in ended.err


def test_the_same_seed_gives_the_same_text(tmp_path: Path) -> None:
    words = ("run", "The", "--max-tokens", "8", "--seed", "7", "--json", "--set", NOWHERE)
    first, second = (json.loads(podium(*words, cwd=tmp_path).out) for _ in range(2))
    assert first["text"] == second["text"]
    assert first["usage"]["completion_tokens"] == 8
    assert first["finish_reason"] == "length"


def test_a_checkpoint_that_cannot_be_loaded_is_one_line_and_a_failure(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("{")
    ended = podium("run", "Hi", "--model", "./broken", "--set", NOWHERE, cwd=tmp_path)
    assert ended.status == 1
    assert ended.err.splitlines()[-1].startswith("error: broken cannot be loaded: ")
    assert "Traceback" not in ended.err


def _slow_run(tmp_path: Path) -> subprocess.Popen[str]:
    """A run against the echo engine at a pace of one token a second."""
    models = [{"name": "slow", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 1.0}}]
    words = ["run", "a b c d e f g h", "--max-tokens", "50", "--set", NOWHERE, "--set", f"models={json.dumps(models)}"]
    return subprocess.Popen(
        [*PODIUM, *words],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for_text(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Wait for the first text; the processes that the run has started."""
    assert process.stdout is not None
    assert process.stdout.read(1)
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_ends_the_run_and_its_server_with_130_and_no_traceback(tmp_path: Path) -> None:
    with _slow_run(tmp_path) as process:
        helpers = _wait_for_text(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert helpers
    until("the private server is gone", lambda: not any(_alive(helper) for helper in helpers))


def test_a_killed_run_takes_its_server_with_it(tmp_path: Path) -> None:
    with _slow_run(tmp_path) as process:
        helpers = _wait_for_text(process)
        process.kill()
    until("the private server is gone", lambda: not any(_alive(helper) for helper in helpers), seconds=30)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("words", [("config", "check"), ("version",), ("doctor", "--json")])
def test_commands_without_a_server_work_as_processes(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = podium(*words, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
