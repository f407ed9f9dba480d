"""What the demonstration has shown, in words and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from podium.cli.demo.canary_performance import MOST_SECONDS, Performance
from podium.demo.canary import CANARY, STABLE, Play
from podium.protocols.rollouts import EventBody
from podium.rollout.state import WHOLE

_FAULTS = {
    "errors": "answered with a 500",
    "slow": "answered late",
    "reset": "cut off by a reset connection",
    "hang": "never answered",
}


def document(play: Play, performance: Performance) -> dict[str, object]:
    """Everything that was counted and timed. Seconds are since the first share of the canary was confirmed."""
    client = performance.client
    times = seconds_of(performance.events)
    return {
        "outcome": performance.outcome,
        "reason": performance.rollout.reason,
        "fault": play.fault,
        "fault_rate": 0.0 if play.fault == "none" else play.rate,
        "requests_per_second": play.requests_per_second,
        "client_requests": client.sent,
        "client_errors": client.failed,
        "client_p50_ms": _milliseconds(client.quantile_seconds(0.5)),
        "client_p99_ms": _milliseconds(client.quantile_seconds(0.99)),
        "canary_attempts": performance.proxy.requests,
        "canary_failures": performance.proxy.failures,
        **times,
    }


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def seconds_of(events: Sequence[EventBody]) -> dict[str, float | None]:
    """When it was noticed, when no traffic was left on the canary, and when it had all of it; None: never."""
    units = [(event.at, event.details.get("canary_units")) for event in events if event.type == "acknowledged"]
    noticed = [event.at for event in events if event.type == "judged" and event.details.get("verdict") == "ROLLBACK"]
    began = min((at for at, share in units if share), default=None)
    return {
        "detected_after_seconds": _first(began, noticed),
        "rolled_back_after_seconds": _first(began, [at for at, share in units if share == 0 and began and at > began]),
        "promoted_after_seconds": _first(began, [at for at, share in units if share == WHOLE]),
    }


def _first(began: float | None, times: Sequence[float]) -> float | None:
    return None if began is None or not times else round(min(times) - began, 2)


def paragraphs(play: Play, performance: Performance) -> Iterator[str]:
    """What was seen, and what of it is the demonstration's own making."""
    yield _seen_by_the_client(performance)
    yield _outcome(play, performance)
    yield (
        "Real: Envoy, two servers (their engine repeats its prompt), every socket, every failure, every count. For the "
        "demonstration only: intervals of 1 s instead of 5, steps of a few seconds, and a bad rate that may grow by "
        "10 points instead of 1, which takes a tenth of the requests to prove."
    )
    yield "Next: docs/rollouts.md, `podium up`, `podium rollout plan ENV`."


def _seen_by_the_client(performance: Performance) -> str:
    client = performance.client
    failed = "none of them failed" if not client.failed else f"{client.failed:,} of them failed"
    return f"The client sent {client.sent:,} requests; {failed}."


def _outcome(play: Play, performance: Performance) -> str:
    times, proxy = seconds_of(performance.events), performance.proxy
    fault = _FAULTS.get(play.fault, "made to fail")
    made = f"{proxy.failures:,} of the {proxy.requests:,} attempts that reached {CANARY} were {fault}"
    if performance.outcome == "rolled-back":
        return f"{made}; {_remedy(play)}. {_noticed(times)} {CANARY} was taken back: {performance.rollout.reason}."
    if performance.outcome == "promoted":
        return f"{CANARY} was as good as {STABLE} and has taken over: it had all traffic {_after(times, 'promoted')}."
    if performance.outcome == "unfinished":
        return f"No verdict in {MOST_SECONDS:.0f} s; send more requests (--rps) or break more of them (--rate)."
    return f"That is not what should have come of it: {CANARY} is {performance.rollout.phase}. {made.capitalize()}."


def _remedy(play: Play) -> str:
    if play.fault == "slow":
        return "the client waited for those, for nothing had failed"
    return f"the gateway tried each of them again on {STABLE} before its client could notice"


def _noticed(times: dict[str, float | None]) -> str:
    detected, gone = times["detected_after_seconds"], times["rolled_back_after_seconds"]
    if detected is None or gone is None:
        return "Then"
    return f"Noticed {detected:.1f} s after its first share, and without traffic {gone - detected:.2f} s later,"


def _after(times: dict[str, float | None], what: str) -> str:
    seconds = times[f"{what}_after_seconds"]
    return "at some time" if seconds is None else f"{seconds:.1f} s after its first share"
