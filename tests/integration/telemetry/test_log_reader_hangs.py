"""A server whose standard error nobody reads: a log collector that hangs, a terminal that was stopped with Ctrl-S."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import httpx
import pytest
import yaml

from podium.telemetry import table
from podium.testing.accounts import Accounts
from podium.testing.server_process import ECHO
from support.deadline import until

REQUESTS = 3000
"""Their lines are more than a pipe holds (64 KiB) and more than may wait (1 MiB)."""


class Unread:
    """A server and its log, of which a line is read only when a test asks."""

    def __init__(self, process: subprocess.Popen[bytes], log: TextIO) -> None:
        self.process = process
        self.lines = 0
        self._log = log
        listening = next(record for record in self.records() if record["event"] == "listening")
        self.traffic, self.admin = listening["traffic"], listening["admin"]
        until("load", lambda: httpx.get(f"{self.admin}/startupz", trust_env=False).is_success or None, seconds=60.0)

    def records(self) -> Iterator[dict[str, Any]]:
        """The next records; every line of the log is one."""
        for line in self._log:
            self.lines += 1
            yield json.loads(line)

    def until_logged(self, event: str, **members: Any) -> dict[str, Any]:
        """Read on until that record."""
        return next(one for one in self.records() if one["event"] == event and members.items() <= one.items())

    def figure(self, name: str) -> float:
        """A metric, as its page has it."""
        accounts = Accounts()
        accounts.read(httpx.get(f"{self.admin}/metrics", timeout=10.0, trust_env=False).text)
        return accounts.last[name]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Unread]:
    settings = {
        "models": [ECHO],
        "logs": {"format": "json"},
        "server": {"port": 0, "admin_port": 0},
        "access": {"database": str(tmp_path / "podium.db")},
    }
    config = tmp_path / "podium.yaml"
    config.write_text(yaml.safe_dump(settings), "utf-8")
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "podium", "serve", "--config", str(config)]
    with os.fdopen(reading, encoding="utf-8") as log, subprocess.Popen(command, stderr=writing) as process:
        os.close(writing)
        try:
            yield Unread(process, log)
        finally:
            process.kill()
            process.wait()


def test_requests_and_probes_are_answered_and_lost_records_are_counted(server: Unread) -> None:
    with httpx.Client(base_url=server.traffic, timeout=10.0, trust_env=False) as client:
        for number in range(REQUESTS):
            answer = client.get("/v1/models", headers={"x-request-id": f"{number:0128d}"})
            assert answer.status_code == 200
        assert httpx.get(f"{server.admin}/livez", timeout=10.0, trust_env=False).status_code == 200
        dropped = server.figure(table.LOG_RECORDS_DROPPED.name)
        assert dropped > 0
        # The reader is back: what waited is whole, and new records come after it.
        waiting = server.figure(table.LOG_RECORDS.name) - dropped - server.lines
        for _ in range(int(waiting)):
            next(server.records())
        assert client.get("/v1/models", headers={"x-request-id": "after"}).status_code == 200
        server.until_logged("request", request_id="after")
    assert server.figure(table.LOG_RECORDS_DROPPED.name) == dropped
    assert server.figure(table.LOG_RECORDS.name) == server.lines + dropped


def test_a_server_that_ends_does_not_wait_for_the_reader(server: Unread) -> None:
    with httpx.Client(base_url=server.traffic, timeout=10.0, trust_env=False) as client:
        for number in range(300):
            client.get("/v1/models", headers={"x-request-id": f"{number:0128d}"})
    server.process.terminate()
    assert server.process.wait(timeout=30.0) == 0


def test_what_was_logged_last_is_written_before_the_end(server: Unread) -> None:
    server.process.terminate()
    assert server.until_logged("stopped")["level"] == "info"
