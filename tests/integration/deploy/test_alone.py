"""A server in a network namespace of its own, with Redis and nothing else: it works, and nothing tries to leave."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.command import environment
from support.pod import require_namespaces
from support.ports import free_port
from support.require import require_program

ALONE = Path(__file__).parents[2] / "support/alone.py"


@pytest.mark.slow
def test_a_server_needs_no_network_but_redis_and_calls_nobody(tmp_path: Path) -> None:
    """With the real engine and the demo model: their libraries would phone home."""
    require_namespaces()
    require_program("redis-server")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("network namespaces cannot be made here")
    port, admin, redis = free_port(), free_port(), free_port()
    document = {
        "server": {"port": port, "admin_port": admin, "cache_dir": str(tmp_path / "cache")},
        "access": {"database": str(tmp_path / "podium.db")},
        "redis": {"url": f"redis://127.0.0.1:{redis}/0"},
    }
    file = tmp_path / "podium.yaml"
    file.write_text(json.dumps(document))
    words = [sys.executable, str(ALONE), str(file), str(port), str(admin), str(redis)]
    done = subprocess.run(
        ["unshare", "--net", *words],  # noqa: S607
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=115,
        check=False,
    )
    told = json.loads(done.stdout)
    assert told["answer"]["usage"]["completion_tokens"] == 4, told
    assert told["status"] == 0
    assert told["left"] == 0
    assert told["left_after_one_try"] > 0  # so that the count is known to count
