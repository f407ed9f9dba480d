"""wrk, a load generator in C: POSTs with a key, given by a small script that is written for the run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loopback.podium_server import pinned

CONNECTIONS = 32
_MARK = "RESULT "
_SCRIPT = """
local bodies = { BODIES }
local made, number = {}, 0
function init(args)
  local headers = { HEADERS }
  for index, body in ipairs(bodies) do made[index] = wrk.format("POST", "PATH", headers, body) end
end
function request()
  number = number % #made + 1
  return made[number]
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p90":%d,"p99":%d,"max":%d,"not_2xx":%d,"broken":%d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
    latency.max, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Target:
    """Who gets which POSTs."""

    port: int
    path: str
    bodies: Sequence[Mapping[str, Any]]
    key: str


@dataclass(frozen=True)
class Load:
    """How long, from which core; ``script`` is a file that is written."""

    seconds: int
    core: int
    script: Path


def program() -> str:
    """Wrk's path. Raises ``RuntimeError`` that says how to get it."""
    found = shutil.which("wrk")
    if found is None:
        raise RuntimeError("the load generator wrk is not on PATH; on Debian: apt-get install wrk")
    return found


def version() -> str:
    """What it says of itself; empty where there is none."""
    if shutil.which("wrk") is None:
        return ""
    done = subprocess.run([program(), "--version"], capture_output=True, text=True, check=False)  # it exits with 1
    return done.stdout.split("[", 1)[0].strip()


def run(target: Target, load: Load) -> dict[str, float]:
    """One run of 32 connections that each send the next request when the last is answered."""
    load.script.write_text(_script(target), "utf-8")
    command = [program(), "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{load.seconds}s"]
    command += ["--latency", "--script", str(load.script), f"http://127.0.0.1:{target.port}"]
    done = subprocess.run(
        [*pinned(load.core), *command], capture_output=True, text=True, check=True, timeout=load.seconds + 60
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith(_MARK))
    found = json.loads(line.removeprefix(_MARK))
    return {
        "requests": found["requests"],
        "requests_per_second": found["requests"] / found["microseconds"] * 1e6,
        **{f"{name}_ms": found[name] / 1000 for name in ("p50", "p90", "p99", "max")},
        "not_2xx": found["not_2xx"],
        "broken": found["broken"],
    }


def _script(target: Target) -> str:
    bodies = ", ".join(f"[==[{json.dumps(body, separators=(',', ':'))}]==]" for body in target.bodies)
    headers = f'["content-type"] = "application/json", ["authorization"] = "Bearer {target.key}"'
    script = _SCRIPT.replace("BODIES", bodies).replace("HEADERS", headers)
    return script.replace("PATH", target.path)
