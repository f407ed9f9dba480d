"""The course of the demonstration: begin, let requests flow, start the rollout, show it, end everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TextIO

from podium.cli import output
from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.rollout.connection import RolloutConnection
from podium.cli.rollout.display import Show, display
from podium.cli.rollout.progress import Progress, outcome
from podium.demo.canary import CANARY, STABLE, Play, Stage, canary_stage
from podium.demo.fault_proxy import FaultCounts
from podium.demo.load import ClientCounts
from podium.protocols.rollouts import EventBody, RolloutAnswer, RolloutRequest
from podium.telemetry import logs

Outcome = Literal["rolled-back", "promoted", "held", "superseded", "unfinished"]

_READY_SECONDS = 90.0
_STEADY_SECONDS = 4.0  # of traffic to the stable version alone: what the new one is compared with
_AFTERWARDS_SECONDS = 2.0  # of traffic once it is over
MOST_SECONDS = 100.0
"""The longest that a demonstration waits for the end of its rollout."""
_POLL_SECONDS = 0.25
_OUTCOMES: dict[str, Outcome] = {
    "rolled-back": "rolled-back",
    "done": "promoted",
    "held": "held",
    "superseded": "superseded",
}


@dataclass(frozen=True)
class Performance:
    """What was seen. ``client`` was counted by the client, ``proxy`` by what made the failures."""

    outcome: Outcome
    rollout: RolloutAnswer
    events: tuple[EventBody, ...]
    client: ClientCounts
    proxy: FaultCounts


async def perform(
    play: Play,
    folder: Path,
    environ: Mapping[str, str],
    written_to: TextIO,
    *,
    as_json: bool,
    rollout: Mapping[str, Any] | None = None,
) -> Performance:
    """The whole demonstration; ``rollout`` as in ``canary_stage``. Cancelled, everything that it has started is killed.

    Raises:
        ConfigurationError: something cannot run here.
        Failure: the controller refused.
    """
    logs.configure(style="human", level="error")
    async with AsyncExitStack() as running:
        with output.stages() as stages:
            stages.show("starting a gateway, a controller and two servers")
            stage = await _ready(running, canary_stage(play, folder, environ, written_to, rollout=rollout))
            stages.show(f"sending {play.requests_per_second:g} requests a second, all of them to {STABLE}")
            await asyncio.sleep(_STEADY_SECONDS)
        with RolloutConnection(stage.addresses.control) as controller:
            with display(as_json=as_json, aside=lambda: _counts(play, stage)) as show:
                ended = await _rollout(controller, show)
            events = await asyncio.to_thread(controller.whole_log)
        with output.stages() as stages:
            stages.show("ending everything")
            await running.aclose()
    return Performance(_OUTCOMES.get(ended.phase, "unfinished"), ended, tuple(events.events), stage.client, stage.proxy)


async def _ready(running: AsyncExitStack, starting: AbstractAsyncContextManager[Stage]) -> Stage:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            return await running.enter_async_context(starting)
    except TimeoutError:
        words = f"gateway, controller and servers were not ready in {_READY_SECONDS:.0f} s; is this machine busy?"
        raise Failure(words, ExitCode.NOT_READY) from None


async def _rollout(controller: RolloutConnection, show: Show) -> RolloutAnswer:
    """Start it and show it until a while after its end, or until it has lasted too long."""
    first = await asyncio.to_thread(controller.start, RolloutRequest(environment=CANARY))
    progress = Progress(controller, first)
    latest = time.monotonic() + MOST_SECONDS
    while True:
        look = await asyncio.to_thread(progress.look)
        show(look)
        if outcome(look.rollout) is not None:
            latest = min(latest, time.monotonic() + _AFTERWARDS_SECONDS)
        if time.monotonic() > latest:
            return look.rollout
        await asyncio.sleep(_POLL_SECONDS)


def _counts(play: Play, stage: Stage) -> Mapping[str, str]:
    client, proxy = stage.client, stage.proxy
    words = f"{client.sent:,} sent, {client.ok:,} answered, {client.failed:,} failed"
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        seconds = client.quantile_seconds(part)
        words += "" if seconds is None else f", {name} {seconds * 1000:.0f} ms"
    made = "" if play.fault == "none" else f", {proxy.failures:,} made to fail ({play.fault})"
    return {"client": words, "fault": f"{proxy.requests:,} attempts reached {CANARY}{made}"}
