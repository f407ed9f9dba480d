"""A further machine of a copy: it lives as long as the first one's engine, and tells the cluster when it is no use."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.server.engine_node import spread_model
from support.checkpoint_folders import write_checkpoint
from support.command import environment
from support.deadline import until
from support.ports import free_port

LONG_SECONDS = 60.0
# Stands in vLLM's interpreter: writes what it was told, and computes until it is ended or told to crash.
ENGINE = """#!{python}
import pathlib, sys, time
pathlib.Path({told!r}).write_text(sys.argv[3])
while not pathlib.Path({crash!r}).exists():
    time.sleep(0.05)
sys.exit(3)
"""


@dataclass
class Node:
    """A running one, and the socket on which the first machine's engine would listen."""

    process: subprocess.Popen[bytes]
    first: socket.socket
    folder: Path
    status: str

    def get(self, path: str) -> int:
        """The status of a question; 0 when it does not answer."""
        try:
            return httpx.get(f"{self.status}{path}", timeout=5, trust_env=False).status_code
        except httpx.HTTPError:
            return 0

    @property
    def told(self) -> Path:
        return self.folder / "told.json"


@contextmanager
def running(folder: Path) -> Iterator[Node]:
    checkpoint = write_checkpoint(folder / "model")
    port, status = free_port(), free_port()
    engine = folder / "engine"
    engine.write_text(ENGINE.format(python=sys.executable, told=str(folder / "told.json"), crash=str(folder / "crash")))
    engine.chmod(0o755)
    model = {
        "name": "big",
        "source": str(checkpoint),
        "engine": {"kind": "vllm", "tensor_parallel": 2, "pipeline_parallel": 2, "nodes": 2, "node_port": port},
        "python": str(engine),
        "max_model_len": 64,
    }
    config = folder / "podium.yaml"
    config.write_text(json.dumps({"models": [model]}))
    words = ["--config", config, "--first", "127.0.0.1", "--rank", "1", "--status", f"127.0.0.1:{status}"]
    first = socket.create_server(("127.0.0.1", port))
    with subprocess.Popen(
        [sys.executable, "-m", "podium.server.engine_node", *map(str, words)], env=environment()
    ) as process:
        try:
            yield Node(process, first, folder, f"http://127.0.0.1:{status}")
        finally:
            first.close()
            process.kill()


def test_it_takes_the_first_machine_s_settings_and_is_ready_when_it_has_met_it(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        until("it is ready", lambda: node.get("/readyz") == 200, seconds=LONG_SECONDS)
        assert [node.get(path) for path in ("/livez", "/startupz", "/metrics")] == [200, 200, 404]
        until("the engine was told", lambda: node.told.exists() and node.told.read_text())
        told = json.loads(node.told.read_text())
        assert (told["rank"], told["first_host"]) == (1, "127.0.0.1")
        assert told["load"]["model_dir"] == str(tmp_path / "model")
        assert told["load"]["max_model_len"] == 64
        assert (told["load"]["engine"]["tensor_parallel"], told["load"]["engine"]["nodes"]) == (2, 2)


def test_it_stays_when_it_is_asked_to_end_until_the_first_machine_is_gone(tmp_path: Path) -> None:
    """Every running answer needs it."""
    with running(tmp_path) as node:
        until("it is ready", lambda: node.get("/readyz") == 200, seconds=LONG_SECONDS)
        node.process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            node.process.wait(2)
        assert node.get("/livez") == 200
        node.first.close()
        assert node.process.wait(LONG_SECONDS) == 0


def test_it_fails_when_the_first_machine_s_engine_goes_so_that_all_begin_anew(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        until("it is ready", lambda: node.get("/readyz") == 200, seconds=LONG_SECONDS)
        node.first.close()
        assert node.process.wait(LONG_SECONDS) == 1


def test_it_waits_for_a_first_machine_that_is_late_and_fails_when_its_own_engine_ends(tmp_path: Path) -> None:
    with running(tmp_path) as node:
        node.first.close()
        until("it lives", lambda: node.get("/livez") == 200, seconds=LONG_SECONDS)
        assert node.get("/readyz") == 503
        (tmp_path / "crash").touch()
        assert node.process.wait(LONG_SECONDS) == 1


def test_it_is_a_part_of_one_model() -> None:
    with pytest.raises(ConfigurationError, match="0 models have an engine vllm with nodes above 1"):
        spread_model(Settings())
