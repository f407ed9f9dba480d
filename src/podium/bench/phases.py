"""Where the time of each request went: client and server joined by request id.

The two clocks are never compared. What the client saw from planned to the last byte is split into its own part (planned
to sent), the server's parts as its log has them, and the rest, which was spent on the way (network and gateway). So the
parts add up by definition; what can be wrong is the join, and then the rest is below zero. A server tidies up a little
after its last byte: where the client had that byte before the server's clock stopped, the overlap is taken off
``flush``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from podium.bench.record import Outcome, RequestRecord
from podium.bench.request_log import request_entries
from podium.bench.statistics import distribution
from podium.bench.summary import Distribution
from podium.core.errors import InvalidRequest

SERVER_PHASES = ("api", "queue", "prefill", "decode", "flush")
PHASES = ("client", "way", *SERVER_PHASES)
MEANINGS = {
    "client": "planned until sent: lateness of the client, connecting",
    "way": "network, gateway, and both kernels: what neither side accounts for",
    "api": "reading, checking and accepting the request",
    "queue": "waiting for a place in the engine",
    "prefill": "in the engine until the first token",
    "decode": "from the first token to the last",
    "flush": "from the last token until the answer was written",
}
CLOCK_SECONDS = 0.001  # a rest below -1 ms is no rounding: the log is of another server, or of a retry


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each phase over the good requests. ``worst_gap``: the most by which parts miss the whole."""

    joined: int
    of: int  # good requests of the run
    parts: dict[str, Distribution]
    whole: Distribution
    worst_gap: float
    impossible: int  # requests whose server parts are longer than what the client saw


def phases_of(records: Sequence[RequestRecord], log: Iterable[str]) -> Phases:
    """Join a run with a server's log (JSON lines). Raises ``InvalidRequest`` when no request is in both."""
    entries = {str(entry.get("request_id")): entry for entry in request_entries(log)}
    good = [record for record in records if record.outcome is Outcome.OK and not record.warm_up]
    rows = [row for record in good if (row := _row(record, entries.get(record.request_id))) is not None]
    if not rows:
        raise InvalidRequest("no good request of the run is in that log; name the log of the server that answered it")
    return Phases(
        joined=len(rows),
        of=len(good),
        parts={name: distribution([row[name] for row in rows]) for name in PHASES},
        whole=distribution([row["whole"] for row in rows]),
        worst_gap=max(abs(row["whole"] - sum(row[name] for name in PHASES)) for row in rows),
        impossible=sum(row["way"] < -CLOCK_SECONDS for row in rows),
    )


def _row(record: RequestRecord, entry: dict[str, Any] | None) -> dict[str, float] | None:
    if entry is None or record.sent_at is None or record.ended_at is None:
        return None
    parts = {name: entry.get(f"{name}_seconds") for name in SERVER_PHASES}
    known = {name: float(value) for name, value in parts.items() if value is not None}
    if len(known) < len(SERVER_PHASES):
        return None
    way = record.ended_at - record.sent_at - float(entry["e2e_seconds"])
    overlap = min(max(0.0, -way), known["flush"])
    known["flush"] -= overlap
    return {
        "client": record.sent_at - record.scheduled_at,
        "way": way + overlap,
        "whole": record.ended_at - record.scheduled_at,
        **known,
    }
