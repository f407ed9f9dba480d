"""Events of the log in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from podium.protocols.rollouts import EventBody

_PER_CENT = 100  # units of traffic: 10,000 are all of it

_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "started": lambda facts: f"{facts['revision']} was started: {_steps(facts['steps'])} %",
    "canary-ready": lambda _: "its servers are ready",
    "canary-unready": lambda _: "it has no ready server any more",
    "warmed": lambda _: "it answers through the gateway",
    "shadow-agreed": lambda _: "its answers to copied requests are as good",
    "acknowledged": lambda facts: f"every gateway confirmed {facts['canary_units'] / _PER_CENT:g} %",
    "split-agreed": lambda _: "requests arrive as declared",
    "judged": lambda facts: _because(str(facts["verdict"]), facts.get("reason")),
    "deadline-passed": lambda facts: _because("the time for this is over", facts.get("because")),
    "drained": lambda facts: f"{facts['left']} requests still run" if facts.get("left") else "no request is left",
    "approved": lambda facts: _because("approved", facts.get("reason")),
    "skipped": lambda facts: _because("promoted without proof", facts.get("reason")),
    "aborted": lambda facts: _because("aborted", facts.get("reason")),
    "superseded": lambda facts: f"it makes room for {facts['by']}",
}


def event_text(event: EventBody) -> str:
    """What happened, in a few words. An event of a newer controller comes as it is."""
    words = _WORDS.get(event.type)
    try:
        if words is not None:
            return words(event.details)
    except (KeyError, TypeError):
        pass
    facts = " ".join(f"{name}={value}" for name, value in event.details.items())
    return f"{event.type} {facts}".rstrip()


def _because(what: str, reason: object) -> str:
    return f"{what}: {reason}" if reason else what


def _steps(units: list[int]) -> str:
    return ", ".join(f"{step / _PER_CENT:g}" for step in units)
