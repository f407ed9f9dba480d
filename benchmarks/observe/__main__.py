"""The observability benchmark's one command: ``python -m benchmarks.observe`` (``make bench-observe``)."""

from __future__ import annotations

import subprocess

from benchmarks.loopback.program import Program
from benchmarks.observe import conservation, cost, dashboard, first_tokens, frozen, junk, scrape, traces
from benchmarks.observe.render import PAGE

MODULES = (conservation, first_tokens, cost, scrape, traces, frozen, junk, dashboard)
PACKAGES = ("podium", "uvicorn", "uvloop", "httptools", "prometheus-client")


def _programs() -> dict[str, str]:
    told = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    return {"chromium": told.split()[1]}


if __name__ == "__main__":
    Program("observability", {module.ROW: module.measure for module in MODULES}, PAGE, PACKAGES, _programs).main()
