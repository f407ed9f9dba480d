"""What is done in each phase of a rollout, until something can be written down.

Each function asks or tells the world and gives the event that follows, or None when it has to be tried again. None of
them decides what comes after: that is in ``transitions``. All may be cancelled at any moment; what they did before is
done again without harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from podium.rollout.course import Course
from podium.rollout.events import Acknowledged, CanaryReady, DeadlinePassed, Drained, Event, SplitAgreed, Warmed
from podium.rollout.looking import seen
from podium.rollout.ports import Deployer, Fleet, Past, Shadow, TrafficSplitter
from podium.rollout.state import Phase, RolloutState

_WARM_ANSWERS = 3


@dataclass(frozen=True)
class World:
    """The ports, and a clock that tells seconds since 1970."""

    splitter: TrafficSplitter
    fleet: Fleet
    shadow: Shadow
    deployer: Deployer
    past: Past
    clock: Callable[[], float]


Action = Callable[[World, Course], Awaitable[Event | None]]


async def _prepare(world: World, course: Course) -> Event | None:
    """Ready are all servers of the environment, with the wanted version, or something else would be judged."""
    terms = course.state.terms
    if terms.version and not await world.deployer.deployed(terms.environment, terms.version):
        return None
    readiness = await world.fleet.readiness(course.state.terms.environment)
    if readiness is None or not readiness.ready or readiness.ready < readiness.servers:
        return None
    return CanaryReady(at=world.clock())


async def _warm(world: World, course: Course) -> Event | None:
    """Podium sends no prompts of its own: a server's own readiness is what is known of its warmth."""
    terms = course.state.terms
    for _ in range(_WARM_ANSWERS):
        if not await world.fleet.answers(terms.environment):
            return None
    now = world.clock()
    return Warmed(at=now) if now >= course.state.phase_since + terms.preview_seconds else None


async def _compare(world: World, course: Course) -> Event | None:
    """Copy requests until the verdict, which the reconciler gives."""
    terms = course.state.terms
    if world.shadow.refusal or terms.shadow is None:
        return DeadlinePassed(at=world.clock(), because=world.shadow.refusal)
    await world.shadow.begin(terms.environment, terms.stable, terms.shadow)
    return None


async def _apply(world: World, course: Course) -> Event | None:
    state = course.state
    is_first = course.evidence is None and not course.slow_above and state.phase is Phase.APPLYING
    slow_above = world.past.slow_above(state.terms.stable) if is_first else {}
    await _split(world, state)
    return Acknowledged(at=world.clock(), canary_units=state.wanted_units, slow_above=slow_above)


async def _await_attempts(world: World, course: Course) -> Event | None:
    return SplitAgreed(at=world.clock()) if seen(course) else None


async def _hold(world: World, course: Course) -> Event | None:
    """A hold that waits for attempts ends when they come."""
    return await _await_attempts(world, course) if course.state.held_from is Phase.ACKED else None


async def _drain_stable(world: World, course: Course) -> Event | None:
    return await _drain(world, course.state, course.state.terms.stable)


async def _drain_canary(world: World, course: Course) -> Event | None:
    environment = course.state.terms.environment
    await world.splitter.set_draining(environment)
    drained = await _drain(world, course.state, environment)
    if drained is not None:
        await world.splitter.set_draining("")  # whoever wants to know what was wrong can look at it again
    return drained


async def _drain(world: World, state: RolloutState, environment: str) -> Event | None:
    """Wait for the last stream, but not for ever: nothing is taken away from it, so it may go on."""
    active = await world.fleet.active(environment)
    now = world.clock()
    if active == 0:
        return Drained(at=now)
    late = state.deadline is not None and now >= state.deadline
    return Drained(at=now, left=active) if late and active is not None else None


async def _wait(_world: World, _course: Course) -> Event | None:
    return None


async def _split(world: World, state: RolloutState) -> None:
    await world.splitter.split(state.terms.environment, state.terms.stable, state.wanted_units)


ACTIONS: dict[Phase, Action] = {
    Phase.PREPARING: _prepare,
    Phase.WARMING: _warm,
    Phase.APPLYING: _apply,
    Phase.ACKED: _await_attempts,
    Phase.OBSERVING: _wait,
    Phase.BAKING: _wait,
    Phase.DRAINING: _drain_stable,
    Phase.HELD: _hold,
    Phase.ABORTING: _apply,
    Phase.DRAINING_CANARY: _drain_canary,
    Phase.SHADOWING: _compare,
}
