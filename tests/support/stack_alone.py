"""Run inside a new network namespace: the services of a compose file, as their users, with what they mount alone.

``python -m support.stack_alone PLAN`` (in ``tests``) reads a JSON file made by ``support.compose_stack`` and prints one
line of JSON. Every service has a root of its own that cannot be written to; the names of services are names of this
machine.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from support.alone import raise_loopback

_ENTER = Path(__file__).with_name("enter_pod.py")
_WAIT_SECONDS = 90.0


class Stack:
    """What runs, by service."""

    def __init__(self, services: dict[str, dict[str, Any]], logs: Path) -> None:
        self._services = services
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            self._running[name] = self._enter(self._services[name], stdout=log, stderr=subprocess.STDOUT)

    def once(self, name: str, *words: str) -> str:
        """Run ``words`` of the service's program in a container of its own, as ``docker compose run`` does."""
        given = self._services[name]
        root = tempfile.mkdtemp(dir=self._logs)
        process = self._enter({**given, "root": root, "program": [*given["own"], *words]}, stdout=subprocess.PIPE)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out.decode()
        return out.decode().strip()

    def is_healthy(self, name: str) -> bool:
        """Whether the service's own health check says so."""
        return subprocess.run(self._services[name]["health"], capture_output=True, check=False).returncode == 0

    def wait(self, what: str, probe: Callable[[], object]) -> None:
        end = time.monotonic() + _WAIT_SECONDS
        while not probe():
            ended = {name: each.returncode for name, each in self._running.items() if each.poll() is not None}
            assert not ended, (what, ended, self.said(*ended))
            assert time.monotonic() < end, (what, self.said(*self._running))
            time.sleep(0.1)

    def stop(self, name: str) -> int:
        """As Docker does: SIGTERM, and its exit status."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=60)

    def said(self, *names: str) -> dict[str, str]:
        return {name: (self._logs / f"{name}.log").read_text(errors="replace")[-3000:] for name in names}

    def kill(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()

    def _enter(self, plan: dict[str, Any], **streams: Any) -> subprocess.Popen[bytes]:
        words = ["unshare", "--mount", sys.executable, str(_ENTER), json.dumps(plan)]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, **streams)


def ask(url: str, key: str = "", body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Status and JSON of an answer; 0 where there is none."""
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=60) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return 0, None


def query(expression: str) -> list[Any]:
    _, answer = ask(f"http://127.0.0.1:9090/api/v1/query?query={expression}")
    return answer["data"]["result"] if answer else []


def main(plan_file: str) -> None:
    """Start everything in order, use it, end it in order, and print what came out."""
    raise_loopback()
    plan = json.loads(Path(plan_file).read_text())
    stack = Stack(plan["services"], Path(plan_file).parent)
    told: dict[str, Any] = {}
    body = {"model": plan["model"], "prompt": "The server", "max_tokens": 4, "temperature": 0}
    gateway = "http://127.0.0.1:8080"
    try:
        stack.start("redis")
        stack.wait("redis is healthy", lambda: stack.is_healthy("redis"))
        key = stack.once("gateway", "keys", "create", "--config", plan["config"])
        admin = stack.once("gateway", "keys", "create", "--role", "admin", "--config", plan["config"])
        others = [name for name in plan["services"] if name != "redis"]
        told["healthy_before"] = [name for name in others if stack.is_healthy(name)]
        for name in others:
            stack.start(name)
        for name in others:
            stack.wait(f"{name} is healthy", partial(stack.is_healthy, name))
        stack.wait("the gateway reaches a server", lambda: ask(f"{gateway}/readyz")[0] == 200)
        told["without_key"] = ask(f"{gateway}/v1/completions", body=body)[0]
        told["answer"] = ask(f"{gateway}/v1/completions", key, body)
        stack.wait("Prometheus has read the server", lambda: query("podium_model_state"))
        told["up"] = [(each["metric"]["environment"], each["value"][1]) for each in query("up")]
        told["rules"] = len(ask("http://127.0.0.1:9090/api/v1/rules")[1]["data"]["groups"])
        alertmanagers = "http://127.0.0.1:9090/api/v1/alertmanagers"
        stack.wait("Alertmanager is found", lambda: ask(alertmanagers)[1]["data"]["activeAlertmanagers"])
        _, traffic = ask("http://127.0.0.1:8081/control/traffic", admin)
        told["environments"] = sorted(traffic["environments"])
        told["ended"] = {name: stack.stop(name) for name in plan["stop"]}
        print(json.dumps(told))  # noqa: T201 - the result
    finally:
        stack.kill()


if __name__ == "__main__":
    main(sys.argv[1])
