"""Who used what: the one who pays, what is counted, and rows of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

KEPT_SECONDS = 35 * 86_400.0
"""How far back usage is remembered."""

HOUR_SECONDS = 3600.0


class Payer(msgspec.Struct, frozen=True, order=True):
    """Whom a request is counted for."""

    tenant: str
    key_id: str
    model: str


class Tally(msgspec.Struct, frozen=True):
    """Counts of requests that ended; money in micro-units."""

    requests: int = 0
    cached_requests: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    micro: int = 0

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(
            self.requests + other.requests,
            self.cached_requests + other.cached_requests,
            self.prompt_tokens + other.prompt_tokens,
            self.output_tokens + other.output_tokens,
            self.micro + other.micro,
        )


class UsageRow(msgspec.Struct, frozen=True):
    """Use of one tenant, key and model. ``cost`` is in the unit of the price table.

    ``cached_requests`` were answered from the response cache; their tokens are not counted.
    """

    tenant: str
    key_id: str
    model: str
    requests: int
    prompt_tokens: int
    output_tokens: int
    cached_requests: int
    cost: float


def usage_row(payer: Payer, tally: Tally) -> UsageRow:
    """The row of ``payer``."""
    return UsageRow(
        payer.tenant,
        payer.key_id,
        payer.model,
        tally.requests,
        tally.prompt_tokens,
        tally.output_tokens,
        tally.cached_requests,
        tally.micro / 1_000_000,
    )


def usage_rows(
    tallies: Iterable[tuple[Payer, Tally]], *, tenant: str | None = None, key_id: str | None = None
) -> list[UsageRow]:
    """Rows in order, one for each payer, of all or of one tenant or key."""
    sums: dict[Payer, Tally] = {}
    for payer, tally in tallies:
        if tenant in (None, payer.tenant) and key_id in (None, payer.key_id):
            known = sums.get(payer)
            sums[payer] = tally if known is None else known.plus(tally)
    return [usage_row(payer, sums[payer]) for payer in sorted(sums)]
