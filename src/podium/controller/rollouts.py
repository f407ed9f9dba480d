"""What the control routes may do with rollouts: ``RolloutControl`` of ``podium.api.control.control``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podium.config.settings import Settings
from podium.controller.recent_traffic import RecentAttempts
from podium.controller.resuming import configured
from podium.controller.rollout_answers import event_body, rollout_answer, summaries
from podium.core.errors import Conflict, NotFound
from podium.gateway.traffic import Traffic
from podium.protocols.rollouts import (
    DecisionRequest,
    EventsAnswer,
    PlanAnswer,
    RolloutAnswer,
    RolloutRequest,
    RolloutsAnswer,
)
from podium.rollout.events import Aborted, Approved, Event, Skipped, Started, Superseded
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.phases import World
from podium.rollout.plan import plan
from podium.rollout.proposal import Standing, obstacles, propose
from podium.rollout.reconciler import Reconciler
from podium.rollout.state import ENDED, Phase
from podium.rollout.telling import Decision, possible

_MOST_EVENTS = 500


class Rollouts:
    """Starts, shows and decides. ``revisions``: the usual name for what runs in each environment.

    Everything that is refused is refused before anything is written or moved.
    """

    def __init__(
        self,
        history: HistoryOnDemand,
        reconciler: Reconciler,
        *,
        settings: Settings,
        traffic: Traffic,
        world: World,
        recent: RecentAttempts,
        revisions: Mapping[str, str],
    ) -> None:
        self._history = history
        self._reconciler = reconciler
        self._settings = settings
        self._traffic = traffic
        self._fleet = world.fleet
        self._shadow = world.shadow
        self._deployer = world.deployer
        self._clock = world.clock
        self._recent = recent
        self._revisions = revisions

    async def plan(self, wish: RolloutRequest) -> PlanAnswer:
        """What a start would do now, and why it would be refused."""
        started, problems = await self._proposed(wish)
        return plan(started, self._recent.of(started.terms.stable, now=self._clock()), problems)

    async def start(self, wish: RolloutRequest, *, actor: str) -> RolloutAnswer:
        """Begin, or say why not; with ``supersede``, as soon as the present one has made room.

        Raises ``InvalidRequest`` for what can never be, ``Conflict`` for what cannot be now.
        """
        started, problems = await self._proposed(wish)
        if problems:
            raise Conflict(f"The rollout was not started: {'; '.join(problems)}.")
        if self._history.state.phase in ENDED:
            return self._written(started, actor)
        return self._written(Superseded(at=self._clock(), by=started.revision, next=started), actor)

    async def current(self) -> RolloutAnswer:
        """The rollout that runs, or the last one. Raises ``NotFound`` when there never was one."""
        self._check()
        if self._history.state.phase is Phase.IDLE:
            raise NotFound("There has been no rollout yet. Start one with `podium rollout start ENVIRONMENT`.")
        return self._answer()

    async def overview(self) -> RolloutsAnswer:
        """All rollouts, newest first."""
        self._check()
        return RolloutsAnswer(rollouts=summaries(self._history.log))

    async def events(self, after: int) -> EventsAnswer:
        """Events with a number above ``after``, oldest first, at most 500."""
        self._check()
        log = self._history.log
        found = [event_body(told) for told in log[max(0, after) :][:_MOST_EVENTS]]
        return EventsAnswer(events=found, last_seq=len(log))

    async def approve(self, decision: DecisionRequest, *, actor: str) -> RolloutAnswer:
        """Let a held rollout go on."""
        return self._decided("approve", Approved(at=self._clock(), reason=decision.reason), decision, actor)

    async def abort(self, decision: DecisionRequest, *, actor: str) -> RolloutAnswer:
        """Take the canary's traffic away, at any time."""
        reason = decision.reason or f"aborted by {actor}"
        return self._decided("abort", Aborted(at=self._clock(), reason=reason), decision, actor)

    async def promote(self, decision: DecisionRequest, *, actor: str) -> RolloutAnswer:
        """Give the canary all traffic without waiting for proof."""
        return self._decided("promote", Skipped(at=self._clock(), reason=decision.reason), decision, actor)

    def moves_traffic(self) -> str | None:
        """Why weights cannot be set by hand now; None when they can."""
        state = self._history.state
        if state.phase in ENDED and state.next is None:
            return None
        return (
            f"A rollout of {state.terms.environment} is {state.phase} and moves traffic itself. "
            "Abort it first: podium rollout abort."
        )

    def _decided(self, word: Decision, event: Event, decision: DecisionRequest, actor: str) -> RolloutAnswer:
        self._check()
        self._check_meant(decision)
        try:
            return self._written(event, actor)
        except Conflict as error:
            state = self._history.state
            now = possible(state)
            if word in now:
                raise
            if state.phase in ENDED:
                raise Conflict(
                    f"No rollout runs, so there is nothing to {word}. "
                    "`podium rollout history` has what ran; `podium rollout start ENVIRONMENT` begins another."
                ) from error
            raise Conflict(
                f"The rollout of {state.revision} to {state.terms.environment} is {state.phase}, where nobody can "
                f"{word}. Possible now: {' or '.join(now) or 'nothing but waiting'}."
            ) from error

    def _written(self, event: Event, actor: str) -> RolloutAnswer:
        try:
            self._reconciler.write(event, actor=actor)
        except Conflict as error:
            raise Conflict(f"{error.message[:1].upper()}{error.message[1:]}.".replace("..", ".")) from error
        return self._answer()

    def _answer(self) -> RolloutAnswer:
        last_seq = len(self._history.log)
        return rollout_answer(self._history.course, self._reconciler, last_seq=last_seq, now=self._clock())

    def _check_meant(self, decision: DecisionRequest) -> None:
        """Who decides has looked at a rollout before, and it may have gone on, or have made room for another one."""
        state, last_seq = self._history.state, len(self._history.log)
        present = f"the rollout of {state.revision} to {state.terms.environment} (number {state.number})"
        if decision.number not in {None, state.number}:
            raise Conflict(
                f"Rollout {decision.number} was meant, and the present one is {present}, which is {state.phase}. "
                "Nothing was done: look at it, and decide again."
            )
        if decision.last_seq not in {None, last_seq}:
            raise Conflict(
                f"More has happened since event {decision.last_seq}: {present} is {state.phase} now. "
                "Nothing was done: look at it, and decide again."
            )

    async def _proposed(self, wish: RolloutRequest) -> tuple[Started, list[str]]:
        self._check()
        started = propose(wish, self._settings.rollout, self._standing(), now=self._clock())
        standing = msgspec.structs.replace(
            self._standing(),
            readiness=await self._fleet.readiness(started.terms.environment),
            counting_copies=await self._counting_copies(started),
            undeployable=await self._undeployable(started),
        )
        return started, obstacles(started, self._history.state, standing, supersede=wish.supersede)

    async def _undeployable(self, started: Started) -> tuple[str, ...]:
        terms = started.terms
        return tuple(await self._deployer.problems(terms.environment, terms.version)) if terms.version else ()

    async def _counting_copies(self, started: Started) -> tuple[str, ...]:
        if not started.shadow:
            return ()
        arms = (started.terms.stable, started.terms.environment)
        return tuple([name for name in arms if not await self._shadow.leaves_uncounted(name)])

    def _standing(self) -> Standing:
        topology, gateway = self._traffic.topology, self._settings.gateway
        return Standing(
            stable=topology.stable,
            units=topology.weights,
            revisions=self._revisions,
            configured=configured(gateway),
            first_byte_seconds=gateway.first_byte_seconds,
        )

    def _check(self) -> None:
        if self._history.problem is not None:
            raise Conflict(f"Rollouts are not available: {self._history.problem}.")
