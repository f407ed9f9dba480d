"""What the simulator does to its clients, and what it says that it did."""

from __future__ import annotations

import random

import msgspec

FAULTS = ("refuse", "error_frame", "cut", "no_last_frame", "no_usage", "wrong_usage", "stall")


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds; normal, cut at 0. ``faults``: shares of requests by name of ``FAULTS``, together at most 1.

    ``refuse`` answers 503; ``error_frame``, ``cut`` and ``stall`` happen half way through the tokens; ``wrong_usage``
    tells three tokens fewer than were sent.
    """

    seed: int = 1
    ttft: float = 0.05
    ttft_std: float = 0.0
    itl: float = 0.01
    itl_std: float = 0.0
    headers_after: float = 0.0  # before the head; the rest of the TTFT comes after it
    tokens_per_frame: int = 1
    role_first: bool = False  # a frame with only the role, with the head
    prompt_tokens: int | None = None  # told in usage; None: one for each word of the prompt
    most_running: int = 1_000_000  # others wait in a queue
    faults: dict[str, float] = {}


class Truth(msgspec.Struct, kw_only=True):
    """One request as the simulator knows it. Stamps of ``time.monotonic``.

    ``received_at``: its first bytes had just been read. The others: just before the bytes were written.
    """

    request_id: str
    received_at: float
    fault: str = ""
    head_at: float | None = None
    token_at: list[float] = []
    frame_tokens: list[int] = []
    done_at: float | None = None
    tokens: int = 0
    told_tokens: int | None = None
    prompt_tokens: int = 0


class Draws(msgspec.Struct, frozen=True, kw_only=True):
    """What was drawn for one request: the fault, the wait before the first frame and before each other one."""

    fault: str
    first: float
    gaps: list[float]


def draws_for(behaviour: Behaviour, key: str, frames: int) -> Draws:
    """The same for the same seed and key."""
    draw = random.Random(f"{behaviour.seed}/{key}")  # noqa: S311 - a simulation, not a secret
    at, fault = draw.random(), ""
    for name, share in behaviour.faults.items():
        if 0 <= at < share:
            fault = name
        at -= share
    first = max(0.0, draw.gauss(behaviour.ttft, behaviour.ttft_std))
    gaps = [max(0.0, draw.gauss(behaviour.itl, behaviour.itl_std)) for _ in range(frames - 1)]
    return Draws(fault=fault, first=first, gaps=gaps)
