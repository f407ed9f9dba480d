"""What the tenants ask: prompts of their own, prompts again, and prompts that others ask too."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.loopback.dialects import Dialect, prompt_seen

TENANTS = 20
OWN_SHARE, AGAIN_SHARE, TWIN_SHARE = 0.5, 0.25, 0.05  # the rest are prompts that all tenants ask
STREAM_SHARE = 0.15
CANCELLED_SHARE = 0.03
LONGEST_BEFORE_CANCEL_SECONDS = 0.008  # about twice what an answer takes, so that about half are cut in the middle
REMEMBERED = 50
REQUESTS_FOR_A_COMMON_PROMPT = 250
"""A new common prompt comes each so many requests, so that first asks happen throughout."""


@dataclass(frozen=True)
class Asked:
    """One request of a tenant. ``nonce`` is in the prompt and nowhere else; ``cancel_after`` None: not cancelled."""

    tenant: int
    nonce: str
    dialect: Dialect
    stream: bool
    cancel_after: float | None

    @property
    def prompt(self) -> str:
        """A sentence with the nonce in it."""
        return f"The answer to {self.nonce} is itself."

    @property
    def text(self) -> str:
        """What the echo engine answers."""
        return prompt_seen(self.dialect, self.prompt)


def plan(count: int, seed: int) -> Iterator[Asked]:
    """``count`` requests, always the same for one seed."""
    rng = random.Random(seed)  # noqa: S311 - a repeatable plan, no secret
    own: list[deque[str]] = [deque(maxlen=REMEMBERED) for _ in range(TENANTS)]
    last: tuple[int, str] | None = None
    for number in range(count):
        tenant = rng.randrange(TENANTS)
        share = rng.random()
        if share < OWN_SHARE or not own[tenant]:
            nonce = _nonce(rng, f"t{tenant:02d}-{number:06d}")
            own[tenant].append(nonce)
        elif share < OWN_SHARE + AGAIN_SHARE:
            nonce = rng.choice(own[tenant])
        elif last is not None and share < OWN_SHARE + AGAIN_SHARE + TWIN_SHARE:
            tenant, nonce = last
        else:
            chosen = rng.randrange(1 + number // REQUESTS_FOR_A_COMMON_PROMPT)
            nonce = _nonce(random.Random(seed + 1 + chosen), f"all-{chosen:06d}")  # noqa: S311 - as above
        last = tenant, nonce
        yield _asked(rng, tenant, nonce)


def _asked(rng: random.Random, tenant: int, nonce: str) -> Asked:
    dialect: Dialect = "chat" if nonce[-1] < "8" else "completion"
    cancel_after = rng.uniform(0, LONGEST_BEFORE_CANCEL_SECONDS) if rng.random() < CANCELLED_SHARE else None
    return Asked(tenant, nonce, dialect, rng.random() < STREAM_SHARE, cancel_after)


def _nonce(rng: random.Random, name: str) -> str:
    return f"{name}-{rng.randbytes(8).hex()}"
