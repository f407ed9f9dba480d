"""A server of one's own, for one command: started on free ports, waited for, stopped."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from podium.cli.connection import Connection, address
from podium.cli.failure import Failure
from podium.cli.output import Stage
from podium.config.models import Model
from podium.protocols.native import ModelsAnswer

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.05
_STOP_SECONDS = 10.0


class PrivateServer:
    """A server process with one model, which nobody else is told about.

    Use it as a context manager: entering starts the process, leaving ends it. It also ends when this
    program dies, because it watches the pipe that is its standard input.
    """

    def __init__(self, model: Model, config: Path | None = None) -> None:
        self._model = model.model_copy(update={"load": "start"})
        self._config = config
        self._port, self._admin_port = _free_ports()
        self.url = address(_HOST, self._port)

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()  # closed in __exit__
        self._folder = tempfile.TemporaryDirectory()  # removed in __exit__
        self._process = subprocess.Popen(
            self._command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._log
        )
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]  # PIPE was asked for
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()
        self._folder.cleanup()

    def wait_until_ready(self, stage: Stage) -> None:
        """Show the load's progress until the model answers. Raises ``Failure`` when it cannot be loaded."""
        stage.show(f"starting a private server for {self._model.name}")
        with Connection(self.url) as traffic, Connection(address(_HOST, self._admin_port)) as probes:
            while not probes.answers("/readyz"):
                if self._process.poll() is not None:
                    raise Failure(
                        f"the private server ended with status {self._process.returncode}: {self._last_words()}"
                    )
                if traffic.answers("/models"):
                    self._show_progress(traffic, stage)
                time.sleep(_POLL_SECONDS)

    def _show_progress(self, traffic: Connection, stage: Stage) -> None:
        for entry in traffic.get("/models", ModelsAnswer).models.values():
            if entry.state == "failed":
                raise Failure(f"{entry.name} cannot be loaded: {entry.error or self._last_words()}")
            if entry.progress is not None:
                stage.show(f"{entry.name}: {entry.progress.stage}", entry.progress.ratio)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error:")]
        return (errors or lines or ["it said nothing"])[-1].removeprefix("error:").strip()

    def _command(self) -> list[str]:
        config = [] if self._config is None else ["--config", str(self._config)]
        no_keys = Path(self._folder.name) / "none.db"
        settings = {
            "models": [self._model.model_dump(mode="json")],
            # Nobody else is told about it: no keys, no issuer, nothing that other servers share.
            "access": {"anonymous": "loopback", "store": "sqlite", "database": str(no_keys), "jwt": None},
            "redis.url": "",
            "cache.store": "memory",
            "server.admin_host": _HOST,
        }
        assignments = [word for path, value in settings.items() for word in ("--set", f"{path}={_yaml(value)}")]
        ports = ["--host", _HOST, "--port", str(self._port), "--admin-port", str(self._admin_port)]
        return [sys.executable, "-m", "podium", "serve", "--until-stdin-closes", *config, *ports, *assignments]


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _free_ports() -> tuple[int, int]:
    """Two free ports of this machine, held at the same time so that they differ."""
    with socket.create_server((_HOST, 0)) as first, socket.create_server((_HOST, 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]
