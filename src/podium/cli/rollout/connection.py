"""The rollout routes of a running controller."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from podium.cli.controller_connection import ControllerConnection, controller_at
from podium.protocols.rollouts import EventBody, EventsAnswer, PlanAnswer, RolloutAnswer, RolloutRequest, RolloutsAnswer

Decision = Literal["approve", "abort", "promote"]

_ROLLOUTS = "/control/rollouts"


class RolloutConnection(ControllerConnection):
    """A connection for planning, starting, following and ending rollouts. A refusal is a ``Failure``."""

    def plan(self, request: RolloutRequest) -> PlanAnswer:
        """What a start would do. Changes nothing."""
        return self.post(f"{_ROLLOUTS}/plan", PlanAnswer, request.model_dump(exclude_none=True))

    def start(self, request: RolloutRequest) -> RolloutAnswer:
        """Start it."""
        return self.post(_ROLLOUTS, RolloutAnswer, request.model_dump(exclude_none=True))

    def current(self) -> RolloutAnswer:
        """The rollout that runs, or the last one."""
        return self.get(f"{_ROLLOUTS}/current", RolloutAnswer)

    def all(self) -> RolloutsAnswer:
        """Every rollout, newest first."""
        return self.get(_ROLLOUTS, RolloutsAnswer)

    def log(self, after: int) -> EventsAnswer:
        """Events later than number ``after``, oldest first, a few hundred at a time."""
        return self.get(f"{_ROLLOUTS}/events?after={after}", EventsAnswer)

    def whole_log(self, after: int = 0) -> EventsAnswer:
        """All events later than number ``after``."""
        found: list[EventBody] = []
        last = after
        while (answer := self.log(last)).events:
            found += answer.events
            last = answer.events[-1].seq
        return EventsAnswer(events=found, last_seq=max(last, answer.last_seq))

    def decide(self, decision: Decision, reason: str, number: int | None = None) -> RolloutAnswer:
        """Approve, abort or promote the rollout that runs, if it is that ``number``.

        Whatever happens while this is on its way makes it a refusal, but for an abort.
        """
        seen = self.current()
        meant = {"number": seen.number if number is None else number}
        if decision != "abort":
            meant["last_seq"] = seen.last_seq
        return self.post(f"{_ROLLOUTS}/current/{decision}", RolloutAnswer, {"reason": reason, **meant})


def rollouts_at(url: str | None, key_file: Path | None, config: Path | None) -> RolloutConnection:
    """The controller at ``url``, or where the configuration says."""
    return controller_at(RolloutConnection, url, key_file, config)
