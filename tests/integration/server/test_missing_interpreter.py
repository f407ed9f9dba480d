"""A model whose interpreter cannot be run is a model that failed, and not one that loads for ever."""

from __future__ import annotations

import signal
from pathlib import Path

from podium.testing.server_process import ECHO, server_process


def test_it_is_failed_and_the_server_still_ends_in_order(tmp_path: Path) -> None:
    with server_process({**ECHO, "python": str(tmp_path / "python")}) as server:
        assert server.probe("readyz").json()["reasons"] == ["echo@1 is failed"]
        failed = server.logged("model failed to load")
        assert failed is not None
        assert failed["error"] == "model_load_failed"
        assert "interpreter cannot be run" in failed["message"]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
