"""Figures out of a server's own metrics."""

from __future__ import annotations

import re

from benchmarks.loopback.blocking_connection import ask_once
from benchmarks.loopback.http_message import get

_SAMPLE = re.compile(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [(name, labels, float(value)) for name, labels, value in _SAMPLE.findall(text)]

    def sum(self, name: str, *labels: str) -> float:
        """All samples of that name that have all of these labels, such as ``status="miss"``."""
        return sum(
            value for found, said, value in self._samples if found == name and all(one in said for one in labels)
        )


def scrape(admin_port: int, key: str = "") -> Metrics:
    """Read them. Raises ``RuntimeError`` when they are refused."""
    answer = ask_once(admin_port, get(admin_port, "/metrics", key=key))
    if answer.status != 200:
        raise RuntimeError(f"metrics were refused: {answer.status} {answer.body[:200]!r}")
    return Metrics(answer.body.decode())
