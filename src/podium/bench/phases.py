"""Where the time of each request went: client, server and, where it is at hand, gateway, joined by request id.

The clocks are never compared; only durations are. What the client saw from planned to the last byte is split into its
own part (planned to sent), the server's parts as its log has them, and the rest, which was spent on the way (network
and gateway). With the gateway's access log the way is told apart: what the gateway had the request for beyond the time
in which it waited for the server, and the rest, which is the network on both sides of it. So the parts add up by
definition; what can be wrong is the join, and then a rest is below zero. A server tidies up a little after its last
byte: where others had that byte before the server's clock stopped, the overlap is taken off ``flush``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from podium.bench.record import Outcome, RequestRecord
from podium.bench.request_log import gateway_entries, request_entries
from podium.bench.statistics import distribution
from podium.bench.summary import Distribution
from podium.core.errors import InvalidRequest

SERVER_PHASES = ("api", "queue", "prefill", "decode", "flush")
MEANINGS = {
    "client": "planned until sent: lateness of the client, connecting",
    "way": "network, gateway, and both kernels: what neither side accounts for",
    "network": "client to gateway and gateway to server, kernels included",
    "gateway": "in the gateway, attempts that failed before the last one included",
    "api": "reading, checking and accepting the request",
    "queue": "waiting for a place in the engine",
    "prefill": "in the engine until the first token",
    "decode": "from the first token to the last",
    "flush": "from the last token until the answer was written",
}
CLOCK_SECONDS = 0.001  # a rest below -1 ms is no rounding: the log is of another server, or of a retry
_MICROSECONDS = 1e-6


class Phases(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of each phase over the good requests, in the order in which a request passes them.

    ``parts`` has ``way``, or ``network`` and ``gateway``. ``worst_gap``: the most by which parts miss the whole.
    """

    joined: int
    of: int  # good requests of the run
    parts: dict[str, Distribution]
    whole: Distribution
    worst_gap: float
    impossible: int  # requests that were longer on the inside than on the outside: in a server, or in the gateway


class _Served(msgspec.Struct, frozen=True):
    """Seconds that a server spent on a request, and the phases that they consist of."""

    whole: float
    parts: dict[str, float]


class _Passage(msgspec.Struct, frozen=True):
    """Seconds for which the gateway had a request, and those of them in which it waited for the server."""

    had: float
    waited: float


class _Row(msgspec.Struct, frozen=True):
    """Seconds of one request. ``possible``: no rest is below zero."""

    parts: dict[str, float]
    whole: float
    possible: bool


def phases_of(records: Sequence[RequestRecord], log: Iterable[str], gateway_log: Iterable[str] | None = None) -> Phases:
    """Join a run with a server's log, and with the gateway's access log where it is given (both JSON lines).

    Raises ``InvalidRequest`` when no request is in all of them.
    """
    served = _served(log)
    passed = None if gateway_log is None else _passages(gateway_log)
    good = [record for record in records if record.outcome is Outcome.OK and not record.warm_up]
    rows = [row for record in good if (row := _row(record, served.get(record.request_id), passed)) is not None]
    if not rows:
        lost = passed is not None and not any(record.request_id in passed for record in good)
        raise InvalidRequest(
            "no good request of the run is in the gateway's log; name what gateway.access_log of that gateway wrote"
            if lost
            else "no good request of the run is in that log; name the log of the server that answered it"
        )
    return Phases(
        joined=len(rows),
        of=len(good),
        parts={name: distribution([row.parts[name] for row in rows]) for name in rows[0].parts},
        whole=distribution([row.whole for row in rows]),
        worst_gap=max(abs(row.whole - sum(row.parts.values())) for row in rows),
        impossible=sum(not row.possible for row in rows),
    )


def _served(log: Iterable[str]) -> dict[str, _Served]:
    """By request id; attempts that came to no answer are left out."""
    return {
        str(entry.get("request_id")): _Served(float(entry["e2e_seconds"]), parts)
        for entry in request_entries(log)
        if (parts := _server_parts(entry)) is not None
    }


def _server_parts(entry: dict[str, Any]) -> dict[str, float] | None:
    found = {name: entry.get(f"{name}_seconds") for name in SERVER_PHASES}
    known = {name: float(value) for name, value in found.items() if value is not None}
    return known if len(known) == len(found) else None


def _passages(log: Iterable[str]) -> dict[str, _Passage]:
    """By request id; those that a server did not answer to the end are left out."""
    return {
        str(entry.get("request_id")): _Passage(entry["total_us"] * _MICROSECONDS, entry["server_us"] * _MICROSECONDS)
        for entry in gateway_entries(log)
        if entry.get("total_us") is not None and entry.get("server_us") is not None
    }


def _row(record: RequestRecord, served: _Served | None, passed: dict[str, _Passage] | None) -> _Row | None:
    if served is None or record.sent_at is None or record.ended_at is None:
        return None
    seen = record.ended_at - record.sent_at
    passage = _Passage(seen, seen) if passed is None else passed.get(record.request_id)
    if passage is None:
        return None
    outside, gateway, inside = seen - passage.had, passage.had - passage.waited, passage.waited - served.whole
    overlap = min(max(0.0, -inside), served.parts["flush"])
    network = outside + inside + overlap
    return _Row(
        parts={
            "client": record.sent_at - record.scheduled_at,
            **({"way": network} if passed is None else {"network": network, "gateway": gateway}),
            **served.parts,
            "flush": served.parts["flush"] - overlap,
        },
        whole=record.ended_at - record.scheduled_at,
        possible=min(outside, gateway, inside + overlap) >= -CLOCK_SECONDS,
    )
