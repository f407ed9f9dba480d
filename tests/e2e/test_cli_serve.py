"""``podium serve`` and ``podium up`` as processes, and the commands that talk to them."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.command import PODIUM, environment, podium
from support.deadline import until
from support.ports import free_port

ECHO = ("--set", "models=[{name: echo, source: none, engine: echo, aliases: [parrot]}]")


@contextmanager
def started(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """A server process that is ready, its address, and the file with its standard error."""
    port, admin_port, log = free_port(), free_port(), folder / "stderr.txt"
    ports = ["--port", str(port), "--admin-port", str(admin_port)]
    with log.open("wb") as stderr:
        process = subprocess.Popen([*PODIUM, *words, *ports], cwd=folder, env=environment(), stderr=stderr)
    try:
        with httpx.Client(trust_env=False) as client:
            until("the server is ready", lambda: _is_ready(client, admin_port, process, log), seconds=30)
        yield process, f"http://127.0.0.1:{port}", log
    finally:
        process.terminate()
        process.wait(30)


def _is_ready(client: httpx.Client, admin_port: int, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return client.get(f"http://127.0.0.1:{admin_port}/readyz").is_success
    except httpx.TransportError:
        return False


def _with(log: Path, words: str) -> str | None:
    text = log.read_text()
    return text if words in text else None


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_with_0(tmp_path: Path, stop: signal.Signals) -> None:
    with started(tmp_path, "serve", *ECHO) as (process, _, log):
        process.send_signal(stop)
        assert process.wait(30) == 0
        assert "Traceback" not in log.read_text()


def test_run_asks_a_running_server(tmp_path: Path) -> None:
    with started(tmp_path, "serve", *ECHO) as (_, url, _):
        ended = podium("run", "one two three", "--url", url, "--json", cwd=tmp_path)
    answer = json.loads(ended.out)
    assert answer["model"] == "echo"
    assert answer["text"]


def test_models_are_listed_unloaded_and_loaded_again(tmp_path: Path) -> None:
    with started(tmp_path, "serve", *ECHO) as (_, url, _):

        def state() -> str:
            shown = json.loads(podium("models", "list", "--url", url, "--json", cwd=tmp_path).out)
            value: str = shown["models"]["echo"]["state"]
            return value

        assert state() == "ready"
        assert podium("models", "unload", "parrot", "--url", url, cwd=tmp_path).out.startswith("echo is unloaded;")
        assert state() == "unloaded"
        assert podium("models", "load", "echo", "--url", url, cwd=tmp_path).out.startswith("echo is ready after")
        assert state() == "ready"


def test_an_unknown_model_is_refused_with_4_code_and_request_id(tmp_path: Path) -> None:
    with started(tmp_path, "serve", *ECHO) as (_, url, _):
        for words in (("run", "Hi", "--model", "other"), ("models", "load", "other")):
            ended = podium(*words, "--url", url, cwd=tmp_path)
            assert ended.status == 4
            assert re.search(r"error: .+ \[model_not_found, req-[0-9a-f]+\]$", ended.err.strip())


def test_a_taken_port_is_one_line_and_status_2(tmp_path: Path) -> None:
    with started(tmp_path, "serve", *ECHO) as (_, url, _):
        ended = podium("serve", *ECHO, "--port", url.rpartition(":")[2], "--admin-port", "0", cwd=tmp_path)
    assert ended.status == 2
    assert ended.err.splitlines()[-1].startswith("error: Cannot listen on 127.0.0.1 port")
    assert "Traceback" not in ended.err


def test_an_address_for_everyone_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    ended = podium("serve", *ECHO, "--host", "0.0.0.0", cwd=tmp_path)  # noqa: S104 - this is what is refused
    assert ended.status == 2
    assert "access.anonymous" in ended.err


def test_up_says_what_to_do_next_and_every_word_is_true(tmp_path: Path) -> None:
    with started(tmp_path, "up") as (process, url, log):
        said = until("the next steps are printed", lambda: _with(log, "Ctrl-C"))
        curl = shlex.split(next(line for line in said.splitlines() if "try it" in line).partition("try it")[2])
        addresses = next(line for line in said.splitlines() if "look" in line).split()[1:]
        body = json.loads(curl[curl.index("-d") + 1])
        with httpx.Client(trust_env=False) as client:
            answer = client.post(curl[1], json=body, timeout=60)
            assert answer.json()["choices"][0]["text"]
            assert [client.get(address).status_code for address in addresses] == [200, 200]
        assert curl[1].startswith(url)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
