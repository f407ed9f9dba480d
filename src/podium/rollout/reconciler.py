"""The loop that makes gateways be what the history says, and writes down what it sees happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
import structlog

from podium.core.errors import Conflict, PodiumError, Unavailable
from podium.rollout.analysis.guards import Condition, offence
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict
from podium.rollout.collector import Collector
from podium.rollout.course import Observed
from podium.rollout.events import Aborted, DeadlinePassed, Event, Judged, ShadowAgreed
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.looking import at_the_end_of_baking, look, served_everything
from podium.rollout.outcome import Outcome
from podium.rollout.phases import ACTIONS, World
from podium.rollout.readiness_guard import LOADING_SECONDS, UNGUARDED, ReadinessGuard
from podium.rollout.state import ENDED, LEAVING, Phase, RolloutState
from podium.rollout.unwritten import Unwritten

log = structlog.get_logger(__name__)

ACTOR = "controller"
PAUSE_SECONDS = 0.25
RETRY_SECONDS = 1.0
"""After a gateway refused or was not there."""
VERSION_SECONDS = 5.0
"""How often servers are asked whether they still serve the version that was deployed."""
_MOVING = frozenset({Phase.APPLYING, Phase.ABORTING})
_NEEDS_SERVERS = frozenset({Phase.SHADOWING, Phase.APPLYING, Phase.BAKING, Phase.DRAINING})


class Reconciler:
    """Drives the rollout of ``history``. One task runs ``run``; everything else is called on the same event loop.

    ``watching_since``: when the present run of all processes began, seconds since 1970: no interval before is counted,
    and servers may take ``loading_seconds`` from then. ``overruled``: the last rollout's outcome does not count any
    more.

    ``trouble`` is the last thing that stood in the way, in the words of what refused; empty when nothing does.
    ``verdict`` is the newest one, None before there is any.

    A process that dies at any moment loses nothing: started again, the history says what is wanted, and telling it to
    a gateway again changes nothing. While the history cannot be written no step is taken, and what is counted waits; a
    decision that takes the canary's traffic away is carried out all the same, and written as soon as that is possible.
    """

    def __init__(
        self,
        history: HistoryOnDemand,
        world: World,
        *,
        watching_since: float,
        loading_seconds: float = LOADING_SECONDS,
        overruled: bool = False,
    ) -> None:
        self._history = history
        self._world = world
        self._guard = ReadinessGuard(world.fleet, world.clock, began=watching_since, loading_seconds=loading_seconds)
        self._collector: Collector | None = None
        self._collected_since: float | None = None
        self._users: set[int] = set()
        self._number = -1
        self._settled = self._overruled = history.state.number if overruled else 0
        self._alarmed: RolloutState | None = None
        self._intervals = Unwritten(history)
        self._unwritten_decision: tuple[Event, str] | None = None
        self._stands_still = False
        self._seen_until = 0.0
        self._paired_at = 0.0
        self._looked_at = 0.0
        self._retry_at = 0.0
        self._woken = asyncio.Event()
        self.trouble = ""
        self.verdict: Verdict | None = look(history.course) if history.course.stands else None
        self._follow()

    @property
    def state(self) -> RolloutState:
        """Where the rollout stands."""
        return self._history.state

    @property
    def late(self) -> int:
        """Outcomes of the present weights that came after their interval was closed."""
        return 0 if self._collector is None else self._collector.late

    def take(self, outcomes: list[Outcome]) -> None:
        """What became known of attempts. Once it is decided that the canary leaves they tell nothing more."""
        if self._collector is not None and self._unwritten_decision is None:
            for outcome in outcomes:
                self._collector.add(outcome)

    def caught_up(self, at: float) -> None:
        """Everything that was written down before ``at`` (seconds since 1970) has been taken."""
        self._seen_until = at

    def write(self, event: Event, *, actor: str) -> RolloutState:
        """Append an event, and act on it at once.

        Raises:
            Conflict: it cannot happen now.
            Unavailable: it cannot be written. What takes the canary's traffic away is done all the same.
        """
        before = self.state
        try:
            self._intervals.write()
            state = self._history.append(event, actor=actor)
        except Unavailable as error:
            if self._remember(event, actor):
                raise Unavailable(f"{error.message} The canary's traffic is taken away meanwhile.") from error
            raise
        self._stands_still = False
        log.info("rollout", phase=state.phase, was=before.phase, what=type(event).__struct_config__.tag, by=actor)
        self.trouble, self._retry_at = "", 0.0
        if state.number != before.number or (before.phase is Phase.SHADOWING and state.phase is Phase.APPLYING):
            self.verdict = None
        self._follow()
        self._woken.set()
        return state

    async def run(self) -> None:
        """Go on until cancelled, which leaves gateways and history as they are."""
        while True:
            self._woken.clear()
            await self.turn()  # one that wrote something is followed by the next at once
            try:
                async with asyncio.timeout(PAUSE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def turn(self) -> None:
        """One look at everything: at most one thing is done and written down."""
        state = self.state
        try:
            if self._unwritten_decision is not None:
                await self._leave(*self._unwritten_decision)
                return
            event = await self._ended(state) if state.phase in ENDED else await self._running(state)
            if event is not None and self.state is state:  # nobody decided otherwise while this waited
                self.write(event, actor=ACTOR)
        except Unavailable as error:  # of the history; what gateways refuse does not come here
            if not self._stands_still:
                log.error("the rollout stands still", phase=state.phase, reason=error.message)  # noqa: TRY400 - told
            self.trouble, self._stands_still = error.message, True

    def _remember(self, event: Event, actor: str) -> bool:
        """Whether what could not be written is a decision against the canary, which is carried out then."""
        leaves = self._history.course.after(event).state.phase in LEAVING and self.state.phase not in LEAVING
        if leaves and self._unwritten_decision is None:
            self._unwritten_decision = event, actor
            self._woken.set()
        return leaves

    async def _leave(self, event: Event, actor: str) -> None:
        """Write a decision against the canary at last, or at least take its traffic away."""
        terms, splitter = self.state.terms, self._world.splitter
        if splitter.canary_units(terms.environment, terms.stable) != 0:
            await self._tell(lambda: splitter.split(terms.environment, terms.stable, 0))
        if self._is_possible(event):
            self.write(event, actor=actor)
        self._unwritten_decision = None

    async def _ended(self, state: RolloutState) -> Event | None:
        await self._end_shadow(state)
        if state.phase is Phase.DONE and self._settled != state.number:
            settled = await self._tell(lambda: self._world.splitter.make_stable(state.terms.environment))
            self._settled = state.number if settled else self._settled
        if state.phase is Phase.DONE and state.number != self._overruled:
            await self._keep_version(state)
        if state.phase is Phase.SUPERSEDED and state.next is not None:
            event = msgspec.structs.replace(state.next, at=self._world.clock())
            return event if self._is_possible(event) else None
        return None

    async def _running(self, state: RolloutState) -> Event | None:
        unready = await self._guard.look(self._history.course) or self._crash_loop(state)
        if unready is not None:
            return unready
        self._follow()
        judged = self._judge_shadow() if state.phase is Phase.SHADOWING else self._judge()
        if judged is not None:
            return judged
        await self._end_shadow(state)
        if self.state is state and state.phase not in _MOVING:
            await self._keep(state)
        await self._keep_version(state)
        if self._lacks_servers(state):
            return None
        return await self._act(state) or self._late(state)

    def _lacks_servers(self, state: RolloutState) -> bool:
        """Whether nothing may go on, because no server of the canary is seen to be ready."""
        if self._guard.is_awaited and state.phase in _NEEDS_SERVERS:
            self.trouble = f"no server of {state.terms.environment} is ready since everything was started again"
            return True
        return state.phase is Phase.DRAINING and not self._guard.is_seen

    def _crash_loop(self, state: RolloutState) -> Event | None:
        """A canary whose servers end over and over, whatever its requests say: the shield hides that from clients."""
        if state.phase in UNGUARDED:
            return None
        terms = state.terms
        restarts = self._world.fleet.restarts(terms.environment, since=state.started_at)
        if offence(Condition(restarts=restarts), terms.policy.max_restarts) is None:
            return None
        allowed = terms.policy.max_restarts
        return Aborted(
            at=self._world.clock(),
            reason=f"the canary's servers were restarted {restarts} times since the start; {allowed} are allowed",
        )

    async def _keep(self, state: RolloutState) -> None:
        """What the gateway was told is what the state wants, or is told again: nobody else moves weights now."""
        terms, splitter = state.terms, self._world.splitter
        if splitter.canary_units(terms.environment, terms.stable) != state.wanted_units:
            await self._tell(lambda: splitter.split(terms.environment, terms.stable, state.wanted_units))

    async def _keep_version(self, state: RolloutState) -> None:
        """A server that was restarted begins with the version that it was configured with."""
        terms, now = state.terms, self._world.clock()
        leaving = state.phase in LEAVING or state.phase in {Phase.PREPARING, Phase.ROLLED_BACK, Phase.SUPERSEDED}
        if not terms.version or leaving or self._is_ahead(self._looked_at + VERSION_SECONDS, VERSION_SECONDS):
            return
        self._looked_at = now

        async def look() -> None:
            await self._world.deployer.deployed(terms.environment, terms.version)

        await self._tell(look)

    async def _act(self, state: RolloutState) -> Event | None:
        found: list[Event | None] = []

        async def act() -> None:
            found.append(await ACTIONS[state.phase](self._world, self._history.course))

        await self._tell(act)
        return found[0] if found else None

    async def _tell(self, act: Callable[[], Awaitable[None]]) -> bool:
        """Do what a gateway may refuse. What it says is kept for the operator, and it is tried again a second later."""
        if self._is_ahead(self._retry_at, RETRY_SECONDS):
            return False
        try:
            await act()
        except PodiumError as error:
            if error.message != self.trouble and self.state.phase not in ENDED:
                log.warning("the rollout cannot go on yet", phase=self.state.phase, reason=error.message)
            self.trouble, self._retry_at = error.message, self._world.clock() + RETRY_SECONDS
            return False
        self.trouble = ""
        return True

    def _is_ahead(self, moment: float, seconds: float) -> bool:
        """Whether ``moment`` is still to come, but no more than ``seconds`` from now: a clock may be set back."""
        return 0 < moment - self._world.clock() <= seconds

    def _late(self, state: RolloutState) -> Event | None:
        """The deadline has passed, unless something has to be known first."""
        now = self._world.clock()
        if state.deadline is None or now < state.deadline or state.phase in {Phase.DRAINING, Phase.DRAINING_CANARY}:
            return None  # the end of draining is its action's
        if state.phase is Phase.ABORTING:
            self._alarm(state)
            return None
        if state.phase is Phase.BAKING:
            return self._baked(now)
        return DeadlinePassed(at=now, because=self.trouble)

    def _baked(self, now: float) -> Event | None:
        """Its time is over; but no traffic is no proof, and neither is a canary that nobody sees."""
        course = self._history.course
        if not self._guard.is_seen or not served_everything(course):
            return None
        worse = at_the_end_of_baking(course)
        if worse is not None:
            return Judged(at=now, verdict="ROLLBACK", reason=worse.sentence)
        return DeadlinePassed(at=now)

    def _alarm(self, state: RolloutState) -> None:
        """Nothing else can be done than to go on trying, so it is said once and not written down every ten seconds."""
        if self._alarmed is not state:
            self._alarmed = state
            log.error("the canary's traffic could not be taken away yet; still trying", reason=self.trouble)

    async def _end_shadow(self, state: RolloutState) -> None:
        """Requests are copied while answers are compared and at no other time."""
        if state.phase is not Phase.SHADOWING and self._world.shadow.is_on:
            await self._tell(self._world.shadow.end)

    def _judge_shadow(self) -> Event | None:
        """Write down the pairs since the last look, and give the verdict if it decides."""
        now, seconds = self._world.clock(), self.state.terms.policy.interval_seconds
        if self._is_ahead(self._paired_at + seconds, seconds):
            return None
        self._paired_at, pairs = now, self._world.shadow.take()
        if pairs:
            number = self.state.number
            self._intervals.add(
                Observed(rollout=number, units=0, began=now, ended=now, interval=Interval(), pairs=pairs)
            )
        self.verdict = look(self._intervals.course)
        match self.verdict:
            case Rollback():
                return Judged(at=now, verdict="ROLLBACK", reason=self.verdict.sentence)
            case Advance():
                return ShadowAgreed(at=now)
        self._intervals.write()
        return None

    def _judge(self) -> Event | None:
        """Close what can be closed, write it down, and give a verdict that decides something in this phase."""
        if self._collector is None or self.state.phase in _MOVING:
            return None
        while (closed := self._collector.close(self._seen_until)) is not None:
            self._intervals.add(
                Observed(
                    rollout=self.state.number,
                    units=self.state.acknowledged_units,
                    began=closed.began,
                    ended=closed.ended,
                    interval=closed.interval,
                    undecided=closed.undecided,
                    cut=closed.cut,
                )
            )
            self.verdict = look(self._intervals.course)
            event = self._deciding(self.verdict)
            if event is not None:
                return event
        self._intervals.write()
        return None

    def _deciding(self, verdict: Verdict) -> Event | None:
        state = self.state
        if isinstance(verdict, Hold):
            return None
        if isinstance(verdict, Advance):
            waits_for_proof = state.phase is Phase.OBSERVING or state.held_from is Phase.OBSERVING
            if not waits_for_proof or not self._intervals.course.stands:
                return None
        word: Literal["ADVANCE", "ROLLBACK"] = "ROLLBACK" if isinstance(verdict, Rollback) else "ADVANCE"
        event = Judged(at=self._world.clock(), verdict=word, reason=verdict.sentence)
        return event if self._is_possible(event) else None

    def _is_possible(self, event: Event) -> bool:
        try:
            self._history.course.after(event)
        except Conflict:
            return False
        return True

    def _follow(self) -> None:
        """Count attempts from where the present weights were confirmed, or where counting had come to."""
        state, course = self.state, self._history.course
        if state.number != self._number:
            self._number, self._users = state.number, set()
            self._guard.forget()
        if state.observed_since == self._collected_since:
            return
        self._collector = self._collected_since = None
        origin = self._guard.counts_from(course)
        if origin is None:
            return
        self._collected_since = state.observed_since
        self._collector = Collector(
            max(origin, course.seen_until),
            state.terms.policy.interval_seconds,
            state.terms.settle_seconds,
            users=self._users,
            users_since=course.seen_since,
        )
