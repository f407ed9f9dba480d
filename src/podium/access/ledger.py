"""What a ledger of quotas and usage promises, and the values that go in and out of it.

A request *asks* for an amount of every limit that applies to it, and is admitted under all of them or under none.
Requests are charged at once; tokens and money are held until the request is settled with what it really used.
In any window of a limit's length no more than the limit is delivered: whatever was delivered there was, at the
moment of the last admission, still held or charged inside the window.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, Self

import msgspec

from podium.access.usage import Payer, Tally, UsageRow
from podium.access.windows import WINDOWS, Window
from podium.core.standing import QuotaName, ScopeKind, Standing

Unit = Literal["request", "tokens", "money", "live"]
"""``request``: charged when admitted. ``tokens``, ``money``: held, then charged. ``live``: held only."""

UNITS: dict[QuotaName, Unit] = {
    "requests_per_minute": "request",
    "tokens_per_minute": "tokens",
    "tokens_per_day": "tokens",
    "concurrent_requests": "live",
    "budget_per_day": "money",
    "budget_per_30_days": "money",
}
MICRO = 1_000_000
"""Money is counted in millionths of its unit."""

MOST = 2**50
"""The largest limit that is told from a larger one: sums stay exact where numbers are doubles."""


class Limit(msgspec.Struct, frozen=True):
    """At most ``most`` in the window; money in micro-units. ``bucket`` names what it is counted in.

    Limits of one quota, scope and name are counted in one bucket, whatever ``most`` is, so that it can change.
    """

    quota: QuotaName
    scope: ScopeKind
    name: str
    most: int
    unit: Unit
    window: Window
    bucket: str

    @classmethod
    def of(cls, quota: QuotaName, scope: ScopeKind, name: str, most: int) -> Limit:
        """The limit of ``quota`` for the key, tenant or model ``name``."""
        return cls(quota, scope, name, min(most, MOST), UNITS[quota], WINDOWS[quota], bucket_name(quota, scope, name))


class Used(msgspec.Struct, frozen=True):
    """Tokens and what they cost in micro-units."""

    prompt_tokens: int = 0
    output_tokens: int = 0
    micro: int = 0

    @property
    def tokens(self) -> int:
        """Both kinds together."""
        return self.prompt_tokens + self.output_tokens

    def amount(self, unit: Unit) -> int:
        """What is charged for it at the end, in ``unit``."""
        if unit == "tokens":
            return self.prompt_tokens + self.output_tokens
        return self.micro if unit == "money" else 0


NOTHING = Used()


class Ask(msgspec.Struct, frozen=True):
    """What one request needs: ``amounts[i]`` of ``limits[i]``.

    ``id`` is unique among all processes, for ever. ``declared`` is charged when nothing more is heard of
    the request.
    """

    id: str
    payer: Payer
    limits: tuple[Limit, ...] = ()
    amounts: tuple[int, ...] = ()
    declared: Used = NOTHING


class Progress(msgspec.Struct, frozen=True):
    """A request still runs: ``used`` is how far it is, ``declared`` what to charge if nothing more is heard."""

    ask: Ask
    used: Used
    declared: Used


class Settlement(msgspec.Struct, frozen=True):
    """A request is over. ``cached``: it was answered without computing."""

    ask: Ask
    used: Used
    cached: bool = False

    @property
    def tally(self) -> Tally:
        """It as usage."""
        used = self.used
        return Tally(1, int(self.cached), used.prompt_tokens, used.output_tokens, used.micro)


class Admitted(msgspec.Struct, frozen=True):
    """There was room under every limit; it is taken. ``local``: by this process's share alone, the store is away."""

    standings: tuple[Standing, ...]
    local: bool = False


class Refused(msgspec.Struct, frozen=True):
    """There was no room under ``limit`` for ``amount``; nothing was taken of any.

    ``retry_after_seconds`` None: there never will be, the amount is larger than the limit.
    """

    limit: Limit
    amount: int
    retry_after_seconds: float | None
    standings: tuple[Standing, ...]
    local: bool = False


Decision = Admitted | Refused


class LedgerFacts(msgspec.Struct, frozen=True):
    """How a ledger does, for metrics.

    ``local``: the shared store is away, and each process keeps to its share. ``queued``: settlements and
    renewals not written yet. ``dropped``: those that were given up because too many waited. ``failures``:
    writes that failed.
    """

    local: bool
    live: int
    buckets: int
    queued: int
    dropped: int
    failures: int
    local_decisions: int = 0
    replicas: int = 1


class Ledger(Protocol):
    """Reserves, renews, settles, remembers. Entered: ready for calls. Left: everything is written, or given up."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def reserve(self, ask: Ask) -> Decision:
        """Take every amount of ``ask``, or none. Ends in bounded time and raises nothing.

        When cancelled, what may have been taken is given back.
        """

    def look(self, ask: Ask) -> Refused | None:
        """A refusal of ``ask`` that is certain from what this process alone knows; takes nothing, never waits."""

    def renew(self, batch: Sequence[Progress]) -> None:
        """Say that these still run; to be called for each at least every third of a lease. Never waits.

        A request whose lease has ended is taken up again. An empty batch is welcome: it is when old things go.
        """

    def settle(self, batch: Sequence[Settlement]) -> None:
        """End these: holds go, what was used is charged and recorded. A second time does nothing. Never waits."""

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        """What was settled in the last ``since_seconds`` (rounded up to whole hours). Raises ``Unavailable``."""

    def facts(self) -> LedgerFacts:
        """How it does, now."""


def bucket_name(quota: QuotaName, scope: ScopeKind, name: str) -> str:
    """What the uses of one quota by one key, tenant or model are counted in."""
    return f"{quota}:{scope}:{name}"


def standing(limit: Limit, *, most: int, used: int, reset_seconds: float) -> Standing:
    """How a limit of ``most`` stands, ``used`` of it being charged or held."""
    unit = MICRO if limit.unit == "money" else 1
    remaining = max(0, most - used)
    return Standing(
        limit.quota, limit.scope, most / unit, remaining / unit, max(0.0, reset_seconds), limit.window.seconds
    )


def refusal(
    ask: Ask, waits: Sequence[float | None], standings: tuple[Standing, ...], *, local: bool = False
) -> Refused:
    """The refusal by the limit that will take longest to have room, by what each one's wait is (None: for ever)."""
    longest = max(range(len(waits)), key=lambda index: _as_seconds(waits[index]))
    return Refused(ask.limits[longest], ask.amounts[longest], waits[longest], standings, local)


def _as_seconds(wait: float | None) -> float:
    return math.inf if wait is None else wait
