"""What a way of rolling out cannot do that Podium's own gateways do, by name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from podium.config.settings import Settings
from podium.core.errors import ConfigurationError

Way = Literal["route", "argo", "flagger"]


@dataclass(frozen=True)
class Loss:
    """One property. ``is_safety``: users can feel that it is missing; then it must be accepted by name."""

    name: str
    is_safety: bool
    sentence: str


_SHIELD = Loss(
    "shield", True, "a request that the canary fails before its first byte is not tried again on the stable version"
)
_CONFIRMED = Loss("confirmed-weights", True, "a step begins when the route was accepted, not when every proxy has it")
_SEEN = Loss(
    "attempts", True, "requests that a server could not count (killed, reset, refused) are no evidence against it"
)
_BOUND = Loss(
    "false-alarm-bound",
    True,
    "requests count when they end and not when they arrive: quick failures are seen first, and the bound on false "
    "alarms is only near",
)
_DRAIN = Loss("drain-by-count", False, "the old version leaves after a fixed time, not when its last stream has ended")
_STICKY = Loss("stickiness", False, "a user may get another version with each request while weights move")
_FIRST = Loss(
    "first-token", False, "times (to the first token, between tokens) and empty answers are not compared, failures are"
)
_BAKE = Loss(
    "bake",
    True,
    "when the canary has all traffic nobody looks: errors above rollout.max_error_rate bring nothing back, and the old "
    "version does not stay for rollout.bake_seconds",
)
_DEADLINE = Loss("step-deadline", False, "a step without a verdict is held for ever, and nobody is told")
_LOG = Loss("replay", False, "there is no log from which a rollout can be replayed and checked")
_RELOAD = Loss("one-load", False, "promotion copies the canary's specification: its models are loaded a second time")
_COMMON = (_SHIELD, _CONFIRMED, _SEEN, _BOUND, _BAKE, _DRAIN, _STICKY, _FIRST, _DEADLINE, _LOG)

_JUDGED = Loss("verdict", True, "nobody compares the versions: a canary that is worse stays until a person notices")
_STEPS = Loss("steps", False, "a person edits the weights, renders and applies: nothing moves or returns by itself")
_BY_HAND = (_SHIELD, _CONFIRMED, _JUDGED, _DRAIN, _STICKY, _LOG, _STEPS)

LOSSES: dict[Way, tuple[Loss, ...]] = {"route": _BY_HAND, "argo": _COMMON, "flagger": (*_COMMON, _RELOAD)}


def check_accepted(way: Way, accepted: Collection[str]) -> tuple[Loss, ...]:
    """The losses of a way. Raises ``ConfigurationError`` unless every one that is about safety is accepted by name."""
    losses = LOSSES[way]
    names = {loss.name for loss in losses}
    unknown = sorted(set(accepted) - names)
    if unknown:
        raise ConfigurationError(
            f"--accept-loss {unknown[0]}: {way} loses nothing of that name; it loses {', '.join(names)}"
        )
    missing = [loss for loss in losses if loss.is_safety and loss.name not in accepted]
    if missing:
        told = "\n".join(f"  {loss.name}: {loss.sentence}" for loss in missing)
        flags = " ".join(f"--accept-loss {loss.name}" for loss in missing)
        with_it = "weights of a route alone" if way == "route" else way
        raise ConfigurationError(
            f"With {with_it} these would be lost:\n{told}\nAccept each by name ({flags}), or use podium deploy "
            "kubernetes with deploy.splitter set to gateway, which loses none."
        )
    return losses


def losses_of_split(settings: Settings, accepted: Collection[str]) -> tuple[Loss, ...]:
    """What ``podium deploy kubernetes`` loses where a route splits traffic between environments; else nothing.

    Raises ``ConfigurationError`` as ``check_accepted`` does.
    """
    if settings.deploy.splitter == "route" and len(settings.gateway.environments) > 1:
        return check_accepted("route", accepted)
    if accepted:
        raise ConfigurationError(
            f"--accept-loss {min(accepted)}: nothing is lost here, since no route splits traffic; leave it out"
        )
    return ()
