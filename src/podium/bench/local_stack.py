"""A gateway with servers behind it, of one's own, to measure: what ``podium up`` starts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from podium.bench.local_server import LocalServer

_START_SECONDS = 660.0
_SAID = re.compile(r"try it +curl (?P<url>\S+)/v1/completions")


class LocalStack(LocalServer):
    """``podium up`` with ``settings``, whose section ``gateway`` says how many replicas there are.

    As ``LocalServer``, with the gateway's address as ``url``; ready means that every replica is.
    """

    _program = "up"

    def _wait_until_ready(self) -> None:
        self.url = self._until("become ready", _START_SECONDS, self._address)
        self.metrics_urls = [f"{replica['admin']}/metrics" for replica in self._child.log.all_of("listening")]

    def _address(self) -> str | None:
        self._refuse_failed_models()
        found = _SAID.search("\n".join(self._child.log.lines()))
        return None if found is None else found["url"]

    def _private(self, folder: Path) -> dict[str, Any]:
        given = self._settings.get("gateway", {})
        own = {"listen": "127.0.0.1:0", "control": "127.0.0.1:0", "tls": None}
        if str(given.get("access_log", "")).startswith("/"):
            own["access_log"] = str(folder / "access.jsonl")  # costs the same, and is nobody else's
        return {**super()._private(folder), "gateway": {**given, **own}}
