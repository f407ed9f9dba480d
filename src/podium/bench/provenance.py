"""Where a result comes from: command, versions, seeds, machine, and what the target says of itself."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from podium.bench.plan import RunPlan, Target
from podium.bench.result import Provenance

ASK_SECONDS = 5.0
_PATHS = ("/version", "/v1/models")


def provenance_of(plan: RunPlan, command: Sequence[str], started_unix: float, host: dict[str, Any]) -> Provenance:
    """All of ``Provenance``. ``host`` is what ``machine`` said before the run."""
    return Provenance(
        started_at=datetime.fromtimestamp(started_unix, UTC).isoformat(timespec="milliseconds"),
        command=list(command),
        podium_version=version("podium"),
        python_version=platform.python_version(),
        seed=plan.seed,
        target=plain_url(plan.target.url),
        model=plan.target.model,
        dialect=plan.target.dialect,
        machine=host,
        server=server_facts(plan.target),
        tokenizer=plan.words.source if plan.words is not None else "",
        commit=checkout_commit(),
    )


def machine() -> dict[str, Any]:
    """This machine, and how busy it is already."""
    one, five, _ = os.getloadavg()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_1m_before": one,
        "load_5m_before": five,
    }


def server_facts(target: Target) -> dict[str, Any]:
    """The answers of ``/version`` and ``/v1/models``, where there are such; a target without them is fine."""
    found: dict[str, Any] = {}
    verify: Any = target.ca_file or target.verify_tls
    with (
        contextlib.suppress(httpx.HTTPError, OSError),
        httpx.Client(
            base_url=target.url, headers=target.headers, timeout=ASK_SECONDS, verify=verify, trust_env=False
        ) as client,
    ):
        for path in _PATHS:
            answer = client.get(path)
            if answer.is_success and len(answer.content) < 1 << 16:
                with contextlib.suppress(ValueError):
                    found[path] = answer.json()
    return found


def checkout_commit() -> str:
    """The commit of the checkout that this code runs from, with a + where it was changed; "" elsewhere."""
    here = Path(__file__).resolve().parents[3]
    if not (here / ".git").exists():
        return ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        commit = _git(here, "rev-parse", "--short=10", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "--untracked-files=no") else "")
    return ""


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()


def plain_url(url: str) -> str:
    """Without user and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
