"""The rendered pod, started for real: as its user, on a root that cannot be written, with its own mounts alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.deploy.places import CACHE_FOLDER, CONFIG_FOLDER, TEMPORARY_FOLDER
from support.deadline import until
from support.deployments import SMALL, sets_of
from support.pod import Pod, require_namespaces, server_pod
from support.ports import free_port

LOAD_SECONDS = 90.0

WRITE = """
import json, os, sys
def writes(path):
    try:
        with open(os.path.join(path, "probe"), "w") as file:
            file.write("x")
        return True
    except OSError:
        return False
print(json.dumps({"ids": [os.getuid(), os.getgid()], "groups": os.getgroups(),
                  "writes": {path: writes(path) for path in sys.argv[1:]}}))
"""


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    require_namespaces()
    server: dict[str, Any] = {"port": free_port(), "admin_port": free_port()}
    return server_pod(sets_of(tmp_path, {**SMALL, "server": server})["overlays/production"], tmp_path)


@contextmanager
def _running(pod: Pod) -> Iterator[subprocess.Popen[str]]:
    with pod.start() as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def test_only_the_rendered_volumes_can_be_written(pod: Pod) -> None:
    places = ["/", "/etc", "/etc/podium", CONFIG_FOLDER, "/usr", "/var", "/var/cache", CACHE_FOLDER, TEMPORARY_FOLDER]
    with pod.start(sys.executable, "-c", WRITE, *places) as process:
        out, _ = process.communicate(timeout=60)
    said = json.loads(out)
    assert said["ids"] == [10001, 10001]
    assert said["groups"] == []
    assert [path for path, could in said["writes"].items() if could] == [CACHE_FOLDER, TEMPORARY_FOLDER]


def test_a_server_loads_its_model_answers_and_ends_there(pod: Pod) -> None:
    """The demo model, so that the engine's own caches are tried too."""
    ports = pod.workload.serving[0].ports
    with _running(pod) as process:
        probe = f"http://127.0.0.1:{ports['admin']}/readyz"
        until("the pod is ready, or ended", lambda: process.poll() is not None or _is_ok(probe), seconds=LOAD_SECONDS)
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        body = {"model": "demo", "prompt": "The configuration file", "max_tokens": 8, "temperature": 0}
        answer = httpx.post(
            f"http://127.0.0.1:{ports['http']}/v1/completions", json=body, timeout=60.0, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["usage"]["completion_tokens"] == 8
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=pod.grace_seconds)
    assert process.returncode == 0, out
    records = [json.loads(line) for line in out.splitlines()]
    assert [record for record in records if record["level"] in {"error", "critical"}] == []


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
