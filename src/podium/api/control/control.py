"""What the control routes need of the controller, as interfaces, and the object that carries it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from podium.api.backend import Gatekeeper
from podium.config.server import RequestLimits
from podium.protocols.control import TrafficAnswer


class TrafficControl(Protocol):
    """Shows and moves traffic."""

    @property
    def confirmed(self) -> bool:
        """Whether a gateway is connected and has confirmed what it was told."""

    async def show(self) -> TrafficAnswer:
        """The split, the environments, and what became of their attempts."""

    async def set_weights(self, weights: Mapping[str, float]) -> None:
        """Return when the gateway has confirmed the split; raise a ``PodiumError`` and change nothing otherwise."""


@dataclass(frozen=True)
class Control:
    """Everything behind the control routes. ``address`` is the host that they listen on."""

    traffic: TrafficControl
    gatekeeper: Gatekeeper
    limits: RequestLimits
    address: str
    version: str = "0"


def control_of(request: Request) -> Control:
    """What the application was created with."""
    control: Control = request.app.state.control
    return control
