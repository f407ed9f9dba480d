"""A real Alertmanager for a test: on a free port, ready when the body begins, gone afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
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
class Alertmanager:
    """A running one."""

    url: str

    def alerts(self) -> list[dict[str, Any]]:
        """What is active for it."""
        told: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v2/alerts", timeout=10.0, trust_env=False).json()
        return told

    def is_ready(self) -> bool:
        """Whether it takes alerts."""
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def running_alertmanager(folder: Path, webhook: str) -> Iterator[Alertmanager]:
    """An Alertmanager that tells ``webhook`` at once."""
    program, port = require_program("prometheus-alertmanager"), free_port()
    route = {"receiver": "test", "group_by": ["alertname", "subject"], "group_wait": "0s", "group_interval": "1s"}
    receivers = [{"name": "test", "webhook_configs": [{"url": webhook, "send_resolved": True}]}]
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump({"route": route, "receivers": receivers}))
    words = [
        f"--config.file={path}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with subprocess.Popen([program, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        found = Alertmanager(f"http://127.0.0.1:{port}")
        try:
            until("Alertmanager is ready", found.is_ready, seconds=30)
            yield found
        finally:
            process.kill()
