"""The controller that a command talks to: the one that is named, or the configured one."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from podium.cli.configured_server import connected
from podium.cli.connection import Connection, address
from podium.config.gateway import split_address
from podium.config.settings import Settings
from podium.protocols.control import TrafficAnswer

C = TypeVar("C", bound="ControllerConnection")


class ControllerConnection(Connection):
    """A connection to the control routes."""

    started_by = "podium up"

    def traffic(self) -> TrafficAnswer:
        """The split now."""
        return self.get("/control/traffic", TrafficAnswer)

    def set_weights(self, weights: dict[str, float]) -> TrafficAnswer:
        """The split after the gateway has confirmed ``weights``."""
        return self._call("PUT", "/control/traffic", TrafficAnswer, {"weights": weights})


def controller_at(kind: type[C], url: str | None, key_file: Path | None, config: Path | None) -> C:
    """The controller at ``url``, or where the configuration says; see ``connected``."""
    return connected(kind, url, key_file, config, place=_control_address)


def _control_address(settings: Settings) -> str | None:
    host, port = split_address(settings.gateway.control)
    return address(host, port) if port else None
