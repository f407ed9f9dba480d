"""What the search for the highest rate knows: one entry for each run."""

from __future__ import annotations

import msgspec


class Criterion(msgspec.Struct, frozen=True, kw_only=True):
    """One demand on a run in its countable form: of ``count`` requests, at most the share ``allowed`` may be bad.

    ``count`` and ``bad`` are effective ones (``attainment.py``): neighbours in a queue are late together, so a thousand
    requests may tell as little as fifty independent ones would.
    """

    name: str
    bad: float
    count: float
    allowed: float
    effect: float = 1.0  # so many requests say as much as one independent one; ``count`` is already divided by it

    @property
    def share(self) -> float:
        """Share of bad requests; 0 of none."""
        return self.bad / self.count if self.count else 0.0


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One run at a rate, in requests per second.

    ``overloaded``: the queue grew and the server did not keep up, so it fails. ``drifting``: queue and TTFT rose within
    the window, so the run cannot pass.
    """

    rate: float
    criteria: list[Criterion]
    overloaded: bool = False
    drifting: bool = False
    seconds: float = 0.0
    run: str = ""  # folder of the run
