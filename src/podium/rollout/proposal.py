"""From a wish to a start: what exactly would be begun, and why it could not be begun now."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from podium.config.gateway import WEIGHT_DIGITS
from podium.config.rollout import Rollout
from podium.core.errors import InvalidRequest
from podium.protocols.rollouts import RolloutRequest
from podium.rollout.analysis.policy import COUNTED, TIMED, CountedMetric
from podium.rollout.analysis.shadow_evidence import ShadowTerms
from podium.rollout.configured import policy_of, weights_of
from podium.rollout.events import Started
from podium.rollout.ports import Readiness
from podium.rollout.state import ENDED, WHOLE, RolloutState
from podium.rollout.terms import Terms

_PER_CENT = WHOLE // 100
_DEFAULT_STEPS = 10
_PLAIN: tuple[CountedMetric, ...] = ("errors", "aborted")
_OVERRIDES = ("steps", "min_soak_seconds", "max_bad_rate_increase", "alpha", "max_error_rate")


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How traffic stands before a rollout.

    ``units``: what each environment gets, of 10,000. ``readiness`` is that of the wished environment. ``revisions`` are
    the usual names for what runs in each environment. ``configured``: as in ``Terms``. ``counting_copies``: those of
    the two environments whose servers do not say that copies count nowhere. ``undeployable``: why the wished version
    cannot be loaded.
    """

    stable: str
    units: Mapping[str, int]
    readiness: Readiness | None = None
    revisions: Mapping[str, str] = {}
    counting_copies: tuple[str, ...] = ()
    undeployable: tuple[str, ...] = ()
    configured: str = ""
    first_byte_seconds: float = 0.0


def propose(wish: RolloutRequest, settings: Rollout, standing: Standing, *, now: float) -> Started:
    """The event that would begin it. Pure; whether it can begin now is what ``obstacles`` says.

    Raises:
        InvalidRequest: no rollout could ever be like this; with what was given and what is allowed.
    """
    _check_environment(wish.environment, standing)
    _check_version(wish.version)
    chosen = _chosen(wish, settings)
    _check_weights(chosen)
    shadow = ShadowTerms(share=chosen.shadow.share / 100, check=chosen.shadow.check, max_worse=chosen.shadow.max_worse)
    terms = Terms(
        environment=wish.environment,
        stable=standing.stable,
        strategy=wish.strategy,
        judged_by=wish.judged_by,
        policy=policy_of(chosen),
        measured=(*COUNTED, *TIMED),
        weights=weights_of(chosen.weights),
        max_error_rate=chosen.max_error_rate,
        preview_seconds=chosen.min_soak_seconds if wish.strategy == "blue-green" else 0.0,
        step_deadline_seconds=chosen.step_deadline_seconds,
        bake_seconds=chosen.bake_seconds,
        settle_seconds=max(chosen.settle_seconds, standing.first_byte_seconds + 1.0),
        shadow=shadow if wish.shadow else None,
        version=wish.version or "",
        configured=standing.configured,
    )
    revision = wish.revision if wish.revision is not None else wish.version or standing.revisions[wish.environment]
    if not revision.strip():
        raise InvalidRequest("`revision` should not be empty; leave it out for the usual name.", param="revision")
    return Started(at=now, revision=revision, steps=_units(chosen.steps), shadow=wish.shadow, terms=terms)


def obstacles(started: Started, state: RolloutState, standing: Standing, *, supersede: bool = False) -> list[str]:
    """Why it cannot begin now; each says what to do next."""
    terms = started.terms
    found = []
    if state.phase not in ENDED and not supersede:
        found.append(
            f"the rollout of {state.revision} to {state.terms.environment} is {state.phase}; abort it first, or start "
            "with supersede"
        )
    if started.revision in state.aborted:
        found.append(
            f"revision {started.revision} was aborted and is not tried again; give the mended one another name"
        )
    if standing.readiness is None:
        found.append("the gateway cannot be asked for servers now; try again when it runs")
    elif not standing.readiness.ready:
        found.append(f"no server of {terms.environment} passes its check; start it, or mend its endpoints")
    found += [
        f"the servers of {name} do not say that copies count nowhere: they are not Podium's, or have another "
        "access.shadow_key_file; mend that, or start without shadow"
        for name in standing.counting_copies
    ]
    found += standing.undeployable
    if state.phase in ENDED and standing.units.get(terms.stable, 0) != WHOLE:
        shares = ", ".join(f"{name} {units / _PER_CENT:g} %" for name, units in standing.units.items() if units)
        found.append(
            f"traffic is split by hand ({shares}) and {terms.stable} is the stable environment; send it all there "
            f"first: podium gateway weights {terms.stable}=100"
        )
    return found


def _check_environment(name: str, standing: Standing) -> None:
    if name not in standing.units:
        raise InvalidRequest(
            f"there is no environment of that name; there are {', '.join(standing.units)}.", param="environment"
        )
    if name == standing.stable:
        others = [other for other in standing.units if other != name]
        raise InvalidRequest(
            f"{name} is the stable environment; name the one that should take over"
            + (f": {', '.join(others)}." if others else "; there is no other one, add it to gateway.environments."),
            param="environment",
        )


def _check_version(version: str | None) -> None:
    name, at, number = (version or "m@1").rpartition("@")
    if not (name and at and number):
        raise InvalidRequest(f"`version` should be NAME@VERSION; given: {version}.", param="version")


def _check_weights(settings: Rollout) -> None:
    """Failures that show whatever the server says of itself have to weigh something."""
    weights = weights_of(settings.weights)
    if not any(weights[metric] for metric in _PLAIN):
        raise InvalidRequest(
            f"rollout.weights has nothing for {' or '.join(_PLAIN)}, so failures would count for nothing; give one a "
            "weight above 0."
        )


def _chosen(wish: RolloutRequest, settings: Rollout) -> Rollout:
    """The settings with what the wish overrides, checked as a whole."""
    changes: dict[str, Any] = {
        name: value for name in _OVERRIDES if (value := getattr(wish, name)) is not None
    } | _strategy(wish)
    try:
        return Rollout.model_validate({**settings.model_dump(), **changes})
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        name = ".".join(str(part) for part in fault["loc"])
        said = fault["msg"].removeprefix("Value error, ")
        raise InvalidRequest(f"{name + ': ' if name else ''}{said}.", param=name or None) from None


def _strategy(wish: RolloutRequest) -> dict[str, Any]:
    _check_members(wish)
    if wish.strategy == "blue-green":
        return {"steps": (100.0,)}
    if wish.strategy == "linear":
        count = _DEFAULT_STEPS if wish.step_count is None else wish.step_count
        if not 1 <= count <= WHOLE:
            raise InvalidRequest(f"`step_count` should be 1 to {WHOLE}.", param="step_count")
        if wish.duration_seconds is None or wish.duration_seconds <= 0:
            raise InvalidRequest("a linear rollout needs `duration_seconds` above 0.", param="duration_seconds")
        steps = tuple(round(100 * number / count, WEIGHT_DIGITS) for number in range(1, count + 1))
        return {"steps": steps, "min_soak_seconds": wish.duration_seconds / count}
    return {}


def _check_members(wish: RolloutRequest) -> None:
    """A member that the strategy has no use for would be ignored, and somebody meant something by it."""
    odd: Collection[str] = {
        "canary": ("step_count", "duration_seconds"),
        "blue-green": ("steps", "step_count", "duration_seconds"),
        "linear": ("steps", "min_soak_seconds"),
    }[wish.strategy]
    for name in odd:
        if getattr(wish, name) is not None:
            raise InvalidRequest(f"`{name}` means nothing for the strategy {wish.strategy}; leave it out.", param=name)


def _units(per_cent: tuple[float, ...]) -> tuple[int, ...]:
    for share in per_cent:
        if round(share, WEIGHT_DIGITS) != share:
            raise InvalidRequest(f"steps take at most {WEIGHT_DIGITS} decimals; given: {share}.", param="steps")
    return tuple(round(share * _PER_CENT) for share in per_cent)
