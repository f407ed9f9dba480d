"""The server as a process: signals, probes, faults under real traffic."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import psutil

from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until

BODY = {"model": "echo", "prompt": "x" * 40, "stream": True, "max_tokens": 100}


class Stream:
    """A streamed completion read in a thread: its frames as they came, and how it ended."""

    def __init__(self, server: ServerProcess, body: dict[str, Any]) -> None:
        self.frames: list[str] = []
        self.broken: Exception | None = None
        self._request = httpx.Request("POST", server.traffic + "/v1/completions", json=body)
        self._thread = threading.Thread(target=self._read, name="stream")
        self._thread.start()
        until("the stream has begun", lambda: self.frames or self.broken)

    def _read(self) -> None:
        with httpx.Client(timeout=30.0, trust_env=False) as client:
            try:
                response = client.send(self._request, stream=True)
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        self.frames.append(line.removeprefix("data: "))
            except httpx.HTTPError as error:
                self.broken = error

    def wait(self) -> list[Any]:
        """All frames, decoded; the terminal marker as its text."""
        self._thread.join(30)
        assert not self._thread.is_alive()
        return [frame if frame == "[DONE]" else json.loads(frame) for frame in self.frames]


def text_of(frames: list[Any]) -> str:
    return "".join(frame["choices"][0]["text"] for frame in frames if isinstance(frame, dict) and "choices" in frame)


def test_sigterm_makes_it_unready_lets_streams_finish_and_exits_with_zero() -> None:
    with server_process() as server:
        stream = Stream(server, BODY)
        server.process.send_signal(signal.SIGTERM)
        until("unready", lambda: server.probe("readyz").status_code == 503, seconds=5)
        frames = stream.wait()
        assert text_of(frames) == "x" * 40
        assert frames[-1] == "[DONE]"
        assert server.process.wait(10) == 0


def test_a_stream_past_the_drain_deadline_ends_with_an_error_not_with_a_clean_end() -> None:
    with server_process(server={"drain_seconds": 1.0}) as server:
        stream = Stream(server, {**BODY, "prompt": "y" * 400, "max_tokens": 400})
        server.process.send_signal(signal.SIGTERM)
        frames = stream.wait()
        assert stream.broken is not None or any(isinstance(frame, dict) and "error" in frame for frame in frames)
        assert not any(
            isinstance(frame, dict) and frame["choices"][0]["finish_reason"] for frame in frames if "choices" in frame
        )
        assert server.process.wait(15) == 0


def test_a_killed_worker_shows_as_an_error_in_its_streams_and_is_replaced() -> None:
    other = {"name": "other", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.03}}
    echo = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.03}}
    with server_process(echo, other) as server:
        workers = {child.pid for child in psutil.Process(server.process.pid).children()}
        stream, neighbour = Stream(server, BODY), Stream(server, {**BODY, "model": "other"})
        killed = time.monotonic()
        os.kill(min(workers), signal.SIGKILL)
        frames, untouched = stream.wait(), neighbour.wait()
        victim, fine = (frames, untouched) if "error" in str(frames) else (untouched, frames)
        assert next(frame for frame in victim if "error" in frame)["error"]["code"] == "engine_crashed"
        assert not any(frame["choices"][0]["finish_reason"] for frame in victim if "choices" in frame)
        assert text_of(fine) == "x" * 40
        until("ready again", lambda: server.probe("readyz").status_code == 200)
        assert time.monotonic() - killed < 15
        assert (
            server.post("/v1/completions", {"model": "echo", "prompt": "back"}).json()["choices"][0]["text"] == "back"
        )


def test_killing_the_server_takes_its_workers_with_it() -> None:
    with server_process() as server:
        (worker,) = psutil.Process(server.process.pid).children()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(5)
        until(
            "the worker is gone", lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, seconds=5
        )


def test_a_server_killed_with_unread_messages_takes_its_workers_with_it_too() -> None:
    with server_process() as server:
        stream = Stream(server, {**BODY, "prompt": "z" * 400, "max_tokens": 400})
        (worker,) = psutil.Process(server.process.pid).children()
        server.process.send_signal(signal.SIGSTOP)
        steps = worker.cpu_times().user
        until("the worker goes on", lambda: worker.cpu_times().user > steps, seconds=10)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(5)
        stream.wait()
        until("the worker is gone", lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_a_client_that_hangs_up_frees_the_engine() -> None:
    with server_process() as server:
        with httpx.stream(
            "POST", server.traffic + "/v1/completions", json={**BODY, "ignore_eos": True}, timeout=10
        ) as response:
            next(response.iter_lines())
        gauge = 'podium_model_running_sequences{model="echo",version="1"} 0.0'
        until("the permit is back", lambda: gauge in server.get("/metrics").text, seconds=3)
        ended = until("the log line", lambda: server.logged("request"))
        assert ended["outcome"] == "cancelled"
        assert 0 < ended["output_tokens"] < 50


def test_a_taken_port_is_one_line_that_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "podium", "serve", "--port", str(port), "--admin-port", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 2
        assert f"port {port}" in done.stderr
        assert "choose another port" in done.stderr
        assert "Traceback" not in done.stderr


def test_an_open_address_without_keys_is_refused_unless_told_otherwise() -> None:
    command = [sys.executable, "-m", "podium", "serve", "--host", "0.0.0.0", "--port", "0", "--admin-port", "0"]  # noqa: S104
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "access.anonymous" in done.stderr


def test_received_requests_are_outcomes_plus_in_flight_at_any_time() -> None:
    with server_process() as server:
        stream = Stream(server, BODY)
        during = server.get("/metrics").text
        assert 'podium_requests_in_flight{phase="run",route="/v1/completions"} 1.0' in during
        stream.wait()
        server.post("/v1/completions", {"model": "nobody", "prompt": "x"})
        well = 'podium_requests_total{model="echo",outcome="ok",route="/v1/completions",version="1"} 1.0'
        until("ended", lambda: well in server.get("/metrics").text)
        after = server.get("/metrics").text
        assert 'podium_requests_in_flight{phase="run",route="/v1/completions"} 0.0' in after
        assert 'podium_requests_received_total{route="/v1/completions"} 2.0' in after
        assert 'outcome="client_error",route="/v1/completions"' in after
        assert 'model="nobody"' not in after
