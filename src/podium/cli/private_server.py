"""A server of one's own, for one command: started on free ports, waited for, stopped."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Self

from podium.cli.connection import Connection
from podium.cli.failure import Failure
from podium.cli.output import Stage
from podium.config.models import Model
from podium.launch.child import Child
from podium.protocols.native import ModelsAnswer

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.05
_LISTEN_SECONDS = 60.0
_STOP_SECONDS = 10.0


class PrivateServer:
    """A server process with one model, which nobody else is told about.

    Use it as a context manager: entering starts the process, leaving ends it. It also ends when this
    program dies, because it watches the pipe that is its standard input. ``url`` is known when it is ready.
    """

    url: str

    def __init__(self, model: Model, config: Path | None = None) -> None:
        self._model = model.model_copy(update={"load": "start"})
        self._config = config

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()  # removed in __exit__
        folder = Path(self._folder.name)
        self._child = Child("serve", *self._words(folder), log=folder / "log")
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end(_STOP_SECONDS)
        self._folder.cleanup()

    def wait_until_ready(self, stage: Stage) -> None:
        """Show the load's progress until the model answers. Raises ``Failure`` when it cannot be loaded."""
        stage.show(f"starting a private server for {self._model.name}")
        listening = self._child.until(lambda: self._child.log.first_of("listening"), _LISTEN_SECONDS)
        if listening is None:
            raise self._failure("did not listen")
        self.url = listening["traffic"]
        with Connection(self.url) as traffic, Connection(listening["admin"]) as probes:
            while not probes.answers("/readyz"):
                if (status := self._child.process.poll()) is not None:
                    raise self._failure(f"ended with status {status}")
                if traffic.answers("/models"):
                    self._show_progress(traffic, stage)
                time.sleep(_POLL_SECONDS)

    def _show_progress(self, traffic: Connection, stage: Stage) -> None:
        for entry in traffic.get("/models", ModelsAnswer).models.values():
            if entry.state == "failed":
                raise Failure(f"{entry.name} cannot be loaded: {entry.error or self._child.log.last_words()}")
            if entry.progress is not None:
                stage.show(f"{entry.name}: {entry.progress.stage}", entry.progress.ratio)

    def _failure(self, what: str) -> Failure:
        return Failure(f"the private server {what}: {self._child.log.last_words()}")

    def _words(self, folder: Path) -> list[str]:
        config = [] if self._config is None else ["--config", str(self._config)]
        settings = {
            "models": [self._model.model_dump(mode="json")],
            # Nobody else is told about it: no keys, no issuer, nothing that other servers share.
            "access": {"anonymous": "loopback", "store": "sqlite", "database": str(folder / "none.db"), "jwt": None},
            "redis.url": "",
            "cache.store": "memory",
            "server.admin_host": _HOST,
            # Its ports are read out of its log.
            "logs": {"format": "json", "level": "info"},
        }
        assignments = [word for path, value in settings.items() for word in ("--set", f"{path}={_yaml(value)}")]
        return [*config, "--host", _HOST, "--port", "0", "--admin-port", "0", *assignments]


def _yaml(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
