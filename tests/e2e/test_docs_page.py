"""The API page, drawn by a real browser with no network."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from podium.testing.server_process import server_process
from support.require import require_program

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.mark.slow
def test_the_browser_draws_every_route_from_this_server_alone(tmp_path: Path) -> None:
    chromium = require_program("chromium")
    with server_process() as server:
        command = [chromium, *QUIET, f"--user-data-dir={tmp_path}", "--virtual-time-budget=10000", "--dump-dom"]
        done = subprocess.run(
            [*command, f"{server.traffic}/docs"], capture_output=True, text=True, timeout=90, check=True
        )
        paths = [path for path in server.get("/openapi.json").json()["paths"] if "{" not in path]
    assert "Unable to render" not in done.stdout
    assert len(paths) > 10
    missing = [path for path in paths if f'data-path="{path}"' not in done.stdout]
    assert missing == []
