"""Requests and answers of the control routes."""

from __future__ import annotations

import msgspec

from podium.protocols.wire import WireModel


class TrafficChange(WireModel):
    """Body of ``PUT /control/traffic``: shares in per cent, together 100; an environment left out gets none."""

    weights: dict[str, float]


class EndpointBody(msgspec.Struct, frozen=True, kw_only=True):
    """One server. ``healthy`` is null when the gateway cannot be asked."""

    address: str
    healthy: bool | None = None


class EnvironmentBody(msgspec.Struct, frozen=True, kw_only=True):
    """One environment: its servers, its share in per cent, and what became of the attempts that it got.

    ``first_attempts`` are those that the weights sent there; the rest were retries, and requests that a header had
    pinned. ``running``: requests there now, streams included, also after its weight has become 0; null when the
    gateway cannot be asked.
    """

    weight: float
    endpoints: list[EndpointBody]
    attempts: int = 0
    first_attempts: int = 0
    failed_attempts: int = 0
    running: int | None = None


class TrafficAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``/control/traffic``. ``confirmed``: every connected gateway has confirmed ``version``."""

    stable: str
    weights: dict[str, float]
    confirmed: bool
    gateways: int
    version: str
    environments: dict[str, EnvironmentBody]


class ReadyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of the controller's probes."""

    status: str
