"""The verdict's own pod: real processes, an API server of the tests' own, and servers whose metrics the test writes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.access.api_keys import mint
from support.api_server import ApiServer, api_server, endpoint
from support.command import environment
from support.deadline import until
from support.ports import free_port

SECONDS = 40.0
PACE = 40
"""Requests that an arm has had more each time its metrics are read."""


@dataclass
class Arm:
    """One server. ``bad_of_ten``: how many of ten requests fail. Idle, it has no more requests."""

    host: str
    bad_of_ten: int = 0
    idle: bool = False
    readable: bool = True
    key: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"ok": 0, "server_error": 0})

    def exposition(self) -> bytes:
        if not self.idle:
            bad = PACE * self.bad_of_ten // 10
            self.counts["server_error"] += bad
            self.counts["ok"] += PACE - bad
        lines = [f'podium_requests_total{{route="/x",outcome="{name}"}} {n}' for name, n in self.counts.items()]
        return "\n".join(["# TYPE podium_requests_total counter", *lines, ""]).encode()


@contextmanager
def _serving(arm: Arm, port: int) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = arm.exposition()
            shown = self.headers["authorization"] == f"Bearer {arm.key}"
            self.send_response(503 if not arm.readable else 200 if shown else 401)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Tests ask the verdict."""

    with ThreadingHTTPServer((arm.host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name=f"metrics of {arm.host}")
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Told:
    """The running verdict server."""

    url: str
    api: ApiServer
    stable: Arm
    canary: Arm
    key_file: Path
    account: Path

    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/verdict", timeout=10, trust_env=False).json()
        return found

    def comes(self, verdict: str, reason: str) -> dict[str, Any]:
        def look() -> bool:
            found = self.now()
            return (found["verdict"], found["reason"]) == (verdict, reason)

        until(f"{verdict} for {reason}", look, seconds=SECONDS)
        return self.now()

    def asked(self, path: str) -> int:
        return httpx.post(f"{self.url}{path}", json={"phase": "Progressing"}, timeout=10, trust_env=False).status_code


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    admin, port, key_file = free_port(), free_port(), tmp_path / "key"
    key_file.write_text(key := mint().text)
    stable, canary = Arm("127.0.0.1", key=key), Arm("127.0.0.2", key=key)
    config = tmp_path / "podium.yaml"
    config.write_text(
        "rollout: {interval_seconds: 1, min_soak_seconds: 2, blind_seconds: 3, min_canary_requests: 20}\n"
    )
    (tmp_path / "account").mkdir()
    words = {
        "--config": config,
        "--account": tmp_path / "account",
        "--route": "podium",
        "--stable": "podium-blue",
        "--canary": "podium-blue-canary",
        "--admin-port": admin,
        "--key-file": key_file,
        "--listen": f"127.0.0.1:{port}",
    }
    flags = [str(word) for flag in words.items() for word in flag]
    with ExitStack() as stack:
        api = stack.enter_context(api_server(tmp_path / "account"))
        api.put("stable-1", "podium-blue", [endpoint(stable.host)], 8000)
        api.put("canary-1", "podium-blue-canary", [endpoint(canary.host)], 8000)
        api.weights = {"podium-blue": 100, "podium-blue-canary": 0}
        for arm in (stable, canary):
            stack.enter_context(_serving(arm, admin))
        command = [sys.executable, "-m", "podium.controller.verdict_server", *flags, "--api-server", api.url]
        process = stack.enter_context(subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL))
        stack.callback(process.send_signal, signal.SIGTERM)
        found = Told(f"http://127.0.0.1:{port}", api, stable, canary, key_file, tmp_path / "account")
        until("it answers", lambda: _answers(found), seconds=SECONDS)
        yield found


def _answers(told: Told) -> bool:
    try:
        return bool(told.now())
    except httpx.HTTPError:
        return False


def _split(told: Told, canary: int) -> None:
    told.api.weights = {"podium-blue": 100 - canary, "podium-blue-canary": canary}


@pytest.mark.slow
def test_a_good_canary_advances_and_earns_each_step_anew(told: Told) -> None:
    assert told.comes("HOLD", "evidence")["sentence"]
    assert [told.asked(path) for path in ("/increase", "/advance", "/rollback")] == [200, 409, 409]
    _split(told, 50)
    assert "just moved" in told.now()["sentence"]
    assert [told.asked(path) for path in ("/increase", "/advance", "/rollback")] == [409, 409, 409]
    assert told.comes("ADVANCE", "certified")["certificates"]["errors"]
    assert [told.asked(path) for path in ("/increase", "/advance", "/rollback")] == [200, 200, 409]
    _split(told, 60)
    assert told.now()["verdict"] == "HOLD"
    told.comes("ADVANCE", "certified")


@pytest.mark.slow
def test_a_bad_canary_is_rolled_back_and_stays_so_for_as_long_as_it_has_traffic(told: Told) -> None:
    told.canary.bad_of_ten = 3
    _split(told, 50)
    told.comes("ROLLBACK", "evidence")
    told.canary.bad_of_ten = 0
    _split(told, 40)
    assert [told.asked(path) for path in ("/increase", "/advance", "/rollback")] == [409, 409, 200]
    _split(told, 0)
    assert told.asked("/rollback") == 409
    looks = len(told.api.requests)
    until("the end was seen", lambda: len(told.api.requests) > looks + 1, seconds=SECONDS)
    _split(told, 50)
    told.comes("ADVANCE", "certified")


@pytest.mark.slow
def test_what_cannot_be_counted_holds(told: Told) -> None:
    _split(told, 50)
    told.comes("ADVANCE", "certified")
    told.canary.readable = False
    told.comes("HOLD", "blind")
    told.canary.readable, told.canary.idle = True, True
    until("no traffic holds", lambda: "no attempt" in told.now()["sentence"], seconds=SECONDS)
    told.api.weights = {}
    until("no route holds", lambda: "weights cannot be read" in told.now()["sentence"], seconds=SECONDS)


@pytest.mark.slow
def test_a_key_and_a_token_that_are_replaced_interrupt_the_verdict_and_do_not_end_it(told: Told) -> None:
    _split(told, 50)
    told.comes("ADVANCE", "certified")
    told.canary.key = told.stable.key = key = mint().text
    told.comes("HOLD", "blind")
    told.key_file.write_text(key)
    told.comes("ADVANCE", "certified")
    told.key_file.unlink()
    told.comes("HOLD", "blind")
    token = (told.account / "token").read_text()
    (told.account / "token").unlink()
    until("nothing can be asked", lambda: "weights cannot be read" in told.now()["sentence"], seconds=SECONDS)
    told.key_file.write_text(key)
    (told.account / "token").write_text(token)
    told.comes("ADVANCE", "certified")


@pytest.mark.slow
def test_a_canary_without_a_ready_pod_is_rolled_back(told: Told) -> None:
    _split(told, 50)
    told.comes("ADVANCE", "certified")
    told.api.put("canary-1", "podium-blue-canary", [endpoint(told.canary.host, ready=False)], 8000)
    told.comes("ROLLBACK", "unready")
