"""Following one rollout: what it is now, and what has happened since the last look."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from podium.cli.exit_codes import ExitCode
from podium.cli.failure import Failure
from podium.cli.rollout.connection import RolloutConnection
from podium.protocols.rollouts import EventBody, RolloutAnswer

_KEPT_EVENTS = 6
_FIRST_EVENTS = 50  # of the log's end, where watching begins
BEYOND = 10**12 - 1
"""No log is so long: nothing is later, and the answer says where the log ends."""
PATIENCE_SECONDS = 30.0
"""How long a controller may be silent, as one that is being restarted is, before nothing more is expected of it."""


@dataclass(frozen=True)
class Look:
    """``newest`` are the last events of the rollout, oldest first; ``silent``: the controller did not answer."""

    rollout: RolloutAnswer
    newest: tuple[EventBody, ...] = ()
    silent: bool = False


def outcome(rollout: RolloutAnswer) -> ExitCode | None:
    """The status that an ended or held rollout stands for; None while it goes on by itself."""
    return {
        "done": ExitCode.OK,
        "rolled-back": ExitCode.ROLLBACK,
        "superseded": ExitCode.HOLD,
        "held": ExitCode.HOLD,
    }.get(rollout.phase)


class Progress:
    """Follows the rollout with the number of ``first``, through restarts of the controller."""

    def __init__(
        self, controller: RolloutConnection, first: RolloutAnswer, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._controller = controller
        self._rollout = first
        self._now = now
        self._heard_at = now()
        self._seq: int | None = None
        self._newest: deque[EventBody] = deque(maxlen=_KEPT_EVENTS)

    def look(self) -> Look:
        """Ask once.

        Raises:
            Failure: the controller refused, or has been silent for ``PATIENCE_SECONDS``.
        """
        try:
            self._ask()
        except Failure as error:
            if error.code is not ExitCode.NOT_READY or self._now() - self._heard_at > PATIENCE_SECONDS:
                raise
            return Look(self._rollout, tuple(self._newest), silent=True)
        self._heard_at = self._now()
        return Look(self._rollout, tuple(self._newest))

    def _ask(self) -> None:
        number = self._rollout.number
        answer = self._controller.current()
        self._rollout = answer if answer.number == number else self._ended(number)
        if self._seq is None:
            self._seq = max(0, self._controller.log(BEYOND).last_seq - _FIRST_EVENTS)
        found = self._controller.whole_log(self._seq).events
        self._seq = found[-1].seq if found else self._seq
        self._newest.extend(event for event in found if event.rollout == number)

    def _ended(self, number: int) -> RolloutAnswer:
        """How the followed one ended, once another has begun."""
        for summary in self._controller.all().rollouts:
            if summary.number == number:
                return msgspec.structs.replace(
                    self._rollout, phase=summary.phase, reason=summary.reason, ended=True, possible=[], deadline=None
                )
        return self._rollout
