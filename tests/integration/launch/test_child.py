"""A real server as a child of the test."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import yaml

from podium.launch.child import Child
from support.deadline import until

LONG_SECONDS = 60.0
ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo"}}


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_child_says_where_it_listens_and_one_that_does_not_obey_is_killed_with_its_worker(tmp_path: Path) -> None:
    config = tmp_path / "podium.yaml"
    own = {"server": {"port": 0, "admin_port": 0}, "access": {"database": str(tmp_path / "podium.db")}}
    config.write_text(yaml.safe_dump({"models": [ECHO], "logs": {"format": "json"}, **own}))
    child = Child("serve", "--config", str(config), log=tmp_path / "log")
    try:
        listening = child.until(lambda: child.log.first_of("listening"), LONG_SECONDS)
        assert listening is not None
        assert listening["traffic"] != listening["admin"]
        processes = child.until(lambda: tree if len(tree := child.tree()) == 2 else None, LONG_SECONDS)
        assert processes is not None
        os.kill(child.process.pid, signal.SIGSTOP)
        child.end(0.2)
        assert child.process.returncode == -signal.SIGKILL
        assert child.tree() == []
        until("both are gone", lambda: all(map(gone, processes)))
    finally:
        child.kill()


def test_a_child_that_ends_is_not_waited_for_and_has_said_why(tmp_path: Path) -> None:
    child = Child("serve", "--config", str(tmp_path / "none.yaml"), log=tmp_path / "log")
    try:
        assert child.until(lambda: child.log.first_of("listening"), LONG_SECONDS) is None
        assert child.process.wait(LONG_SECONDS) == 2
        assert "no such file" in child.log.last_words()
    finally:
        child.kill()
