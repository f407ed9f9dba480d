"""The scaler's query, asked of a real Prometheus that reads a real server as the rendered PodMonitor says.

A query whose labels match nothing is the way in which such scalers fail without an error.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from podium.deploy.lint.graph import Graph
from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until
from support.deployments import FULL, sets_of
from support.ports import free_port
from support.require import require_program

LONG = {"model": "echo", "prompt": "x" * 200, "max_tokens": 200, "stream": True}
BUSY = 3


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def ask(self, query: str) -> list[float]:
        """The values of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10.0, trust_env=False).json()
        assert answer["status"] == "success", answer
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def _scrape_of(monitor: dict[str, Any], target: str) -> dict[str, Any]:
    """What the operator makes of a PodMonitor for one pod of blue, as far as labels go."""
    endpoint = monitor["spec"]["podMetricsEndpoints"][0]
    pod = {
        "__meta_kubernetes_namespace": "podium",
        "__meta_kubernetes_pod_name": "podium-blue-1",
        "__meta_kubernetes_pod_label_podium_environment": "blue",
    }
    own = [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    rendered = [
        {"source_labels": each["sourceLabels"], "target_label": each["targetLabel"], "action": each["action"]}
        for each in endpoint["relabelings"]
    ]
    return {
        "job_name": "podium/podium",
        "scrape_interval": "1s",
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [target], "labels": pod}],
        "relabel_configs": [*own, *rendered],
    }


@contextmanager
def _prometheus(scrape: dict[str, Any], folder: Path) -> Iterator[Prometheus]:
    program, port = require_program("prometheus"), free_port()
    config = folder / "prometheus.yml"
    config.write_text(yaml.safe_dump({"scrape_configs": [scrape]}))
    words = [
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        found = Prometheus(f"http://127.0.0.1:{port}")
        try:
            until("Prometheus is ready", found.is_ready, seconds=30)
            yield found
        finally:
            process.kill()


@pytest.fixture
def production(tmp_path: Path) -> Graph:
    return sets_of(tmp_path / "k8s", FULL)["overlays/production"]


def _query(graph: Graph, name: str) -> str:
    scaler = graph.find("ScaledObject", name, "podium")
    assert scaler is not None
    return str(scaler.at("spec", "triggers")[0]["metadata"]["query"])


def _stream(server: ServerProcess) -> None:
    with httpx.stream("POST", f"{server.traffic}/v1/completions", json=LONG, timeout=60.0, trust_env=False) as answer:
        for _ in answer.iter_lines():
            pass


def test_the_query_finds_the_load_of_its_own_environment_and_of_no_other(production: Graph, tmp_path: Path) -> None:
    require_program("prometheus")
    monitor = json.loads(json.dumps(dict(production.of("PodMonitor")[0].value)))
    with server_process() as server:
        scrape = _scrape_of(monitor, server.admin.removeprefix("http://"))
        with _prometheus(scrape, tmp_path) as prometheus:
            query = _query(production, "podium-blue")
            assert until("the query has a value", lambda: prometheus.ask(query), seconds=30) == [0.0]
            callers = [threading.Thread(target=_stream, args=(server,)) for _ in range(BUSY)]
            for caller in callers:
                caller.start()
            until("the load shows", lambda: (prometheus.ask(query) or [0.0])[0] > 0, seconds=30)
            for caller in callers:
                caller.join()
            assert prometheus.ask(_query(production, "podium-green")) == []
