"""Whether the canary has servers that are ready, and what it means when it has none."""

from __future__ import annotations

from collections.abc import Callable

from podium.rollout.course import Course
from podium.rollout.events import CanaryUnready
from podium.rollout.ports import Fleet
from podium.rollout.state import ENDED, LEAVING, Phase

UNREADY_SECONDS = 5.0
"""A canary without a ready server for so long is rolled back; a shorter time may be one check that came too late."""
LOADING_SECONDS = 1800.0
"""How long servers that began with the present run may take until they are ready once."""
UNGUARDED = LEAVING | ENDED | {Phase.PREPARING}


class ReadinessGuard:
    """Looks at the canary's servers, turn by turn.

    ``began``: when the present run of all processes began, seconds since 1970. Servers of a rollout from before it may
    take ``loading_seconds`` from then; 0: they do not begin with the controller, so their absence is a fault at once.
    ``clock`` tells seconds since 1970.

    Attributes:
        is_seen: at the last look at least one server was ready.
        is_awaited: at the last look none was, and they may be loading still.
    """

    def __init__(self, fleet: Fleet, clock: Callable[[], float], *, began: float, loading_seconds: float) -> None:
        self._fleet = fleet
        self._clock = clock
        self._began = began
        self._loading_seconds = loading_seconds
        self._ready_since: float | None = None
        self._unready_since: float | None = None
        self.is_seen = self.is_awaited = False

    def forget(self) -> None:
        """Another rollout has begun."""
        self._unready_since = None

    async def look(self, course: Course) -> CanaryUnready | None:
        """What follows from the servers as the gateway sees them now, if anything does."""
        state = course.state
        self.is_seen = self.is_awaited = False
        if state.phase in UNGUARDED or not state.canary_ready:
            return None
        readiness = await self._fleet.readiness(state.terms.environment)
        now = self._clock()
        self.is_seen = readiness is not None and readiness.ready > 0
        if self.is_seen and self._ready_since is None:
            self._ready_since = now
        self.is_awaited = not self.is_seen and self._may_load(course, now)
        if self.is_seen or self.is_awaited:
            self._unready_since = None
            return None
        if readiness is None:  # not known, which is neither
            return None
        if self._unready_since is None or self._unready_since > now:  # a clock that was set back
            self._unready_since = now
        return CanaryUnready(at=now) if now >= self._unready_since + UNREADY_SECONDS else None

    def counts_from(self, course: Course) -> float | None:
        """From when attempts at the present weights say something of the canary, seconds since 1970; None: not yet."""
        since = course.state.observed_since
        if since is None or since >= self._began:
            return since
        if self._ready_since is None and self._may_load(course, self._clock()):
            return None
        return self._began if self._was_ready(course) or not self._loading_seconds else self._ready_since

    def _may_load(self, course: Course, now: float) -> bool:
        loads = self._ready_since is None and now < self._began + self._loading_seconds
        return loads and not self._was_ready(course)

    def _was_ready(self, course: Course) -> bool:
        """Whether its servers were ready in this run, before another process became the controller."""
        state = course.state
        return max(state.started_at, state.observed_since or 0.0, course.seen_until) >= self._began
