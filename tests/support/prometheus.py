"""A real Prometheus for a test: on a free port, ready when the body begins, gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from support.deadline import until
from support.ports import free_port
from support.require import require_program


@dataclass(frozen=True)
class Prometheus:
    """A running one."""

    url: str

    def ask(self, query: str) -> list[float]:
        """The values of an instant query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=10.0, trust_env=False).json()
        assert answer["status"] == "success", (query, answer)
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [float(data["result"][1])]
        return [float(series["value"][1]) for series in data["result"]]

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=10.0, trust_env=False).json()
        return {each["labels"]["alertname"] for each in answer["data"]["alerts"] if each["state"] == "firing"}

    def is_ready(self) -> bool:
        """Whether it answers queries."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_prometheus(
    config: Mapping[str, Any], folder: Path, *, features: Sequence[str] = ()
) -> Iterator[Prometheus]:
    """A Prometheus with ``config``; names of rule files in it are relative to ``folder``. ``features`` are on."""
    program, port = require_program("prometheus"), free_port()
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(dict(config)))
    words = [
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *(f"--enable-feature={feature}" for feature in features),
    ]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        found = Prometheus(f"http://127.0.0.1:{port}")
        try:
            until("Prometheus is ready", found.is_ready, seconds=30)
            yield found
        finally:
            process.kill()
