"""The units' system-call filter: Envoy, controller, server and engine work under it, and it does refuse."""

from __future__ import annotations

import ctypes.util
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.command import PODIUM, environment
from support.deadline import until
from support.ports import free_port
from support.source import ROOT
from support.system_calls import allowed_calls

UNITS = [ROOT / "deploy" / name for name in ("podium.service", "podium-gateway.service")]
PROGRAM = Path(__file__).parents[2] / "support/system_calls.py"
READY_SECONDS = 90.0
TRY = "import ctypes, os; ctypes.CDLL(None, use_errno=True).chroot(b'/'); print(os.strerror(ctypes.get_errno()))"


@pytest.fixture(autouse=True)
def _systemd_is_here() -> None:
    if shutil.which("systemd-analyze") is None or ctypes.util.find_library("seccomp") is None:
        pytest.skip("systemd or libseccomp is not installed")


@contextmanager
def _filtered(*words: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(PROGRAM), str(UNITS[1]), *words]
    with subprocess.Popen(
        command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def test_both_units_have_the_same_filter_without_what_only_root_may_do() -> None:
    one, other = (allowed_calls(unit.read_text()) for unit in UNITS)
    assert one == other
    assert {"read", "futex", "sched_setaffinity", "execve"} <= one
    assert not {"mount", "chroot", "bpf", "ptrace", "setuid", "init_module"} & one


def test_a_call_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    with _filtered(sys.executable, "-c", TRY, cwd=tmp_path) as process:
        assert process.communicate(timeout=60)[0].strip() == "Operation not permitted"
    assert process.returncode == 0


@pytest.mark.slow
def test_the_whole_stack_answers_through_its_gateway_and_ends_by_itself(tmp_path: Path) -> None:
    """With Envoy, the real engine and the demo model: whatever they call when they start, compute and end."""
    port = free_port()
    document = {
        "gateway": {
            "listen": f"127.0.0.1:{port}",
            "control": f"127.0.0.1:{free_port()}",
            "environments": {"blue": {"replicas": 1}},
        },
        "server": {"cache_dir": str(tmp_path / "cache")},
    }
    (tmp_path / "podium.yaml").write_text(json.dumps(document))
    url = f"http://127.0.0.1:{port}/v1/completions"
    body = {"model": "demo", "prompt": "The configuration file", "max_tokens": 8, "temperature": 0}

    def answer() -> httpx.Response | None:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        try:
            found = httpx.post(url, json=body, timeout=60.0, trust_env=False)
        except httpx.HTTPError:
            return None
        return found if found.is_success else None

    with _filtered(*PODIUM, "up", "--config", "podium.yaml", cwd=tmp_path) as process:
        found = until("the model answers through the gateway", answer, seconds=READY_SECONDS)
        assert found.json()["usage"]["completion_tokens"] == 8
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
