"""The access benchmark's one command: ``python -m benchmarks.access`` (``make bench-access``)."""

from __future__ import annotations

import subprocess

from benchmarks.access import (
    hits,
    identical,
    key_property,
    overhead,
    paused_redis,
    quotas,
    revocation,
    tenants,
)
from benchmarks.access.render import PAGE
from benchmarks.loopback.program import Program

MODULES = (quotas, revocation, tenants, hits, overhead, identical, paused_redis, key_property)
PACKAGES = ("podium", "uvicorn", "uvloop", "httptools", "hypothesis")


def _programs() -> dict[str, str]:
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    return {"redis": redis.split("v=")[1].split()[0]}


if __name__ == "__main__":
    Program("access", {module.ROW: module.measure for module in MODULES}, PAGE, PACKAGES, _programs).main()
