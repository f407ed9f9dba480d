"""Where the time of a request went: client, network and gateway, queue, prefill, decode, flush; their sum is the whole.

The server's part comes from its request log, joined by request id, or from its ``server-timing`` header. What the
client saw beyond what the server accounts for was spent on the way: in the network, in a gateway, in connecting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from podium.bench.record import RequestRecord
from podium.core.errors import InvalidRequest

PHASES = ("client", "network and gateway", "queue", "prefill", "decode", "flush")
_CLOCKS_DIFFER = 0.001  # seconds that server and client may disagree by


class LogLine(msgspec.Struct):
    """What a line of Podium's request log says about time, in seconds."""

    request_id: str = ""
    queue_seconds: float | None = None
    ttft_seconds: float | None = None
    flush_seconds: float | None = None
    e2e_seconds: float | None = None


@dataclass(frozen=True)
class Account:
    """Mean seconds by phase over ``requests``; ``impossible``: how many ended before the server said they did."""

    seconds: dict[str, float]
    requests: int
    of: int
    impossible: int

    @property
    def total(self) -> float:
        """End to end."""
        return sum(self.seconds.values())


def server_phases(records: Sequence[RequestRecord], log: Iterable[bytes] = ()) -> dict[int, dict[str, float]]:
    """The server's own seconds by request index: queue, prefill, decode, flush. Raises ``InvalidRequest``."""
    index = {name: record.index for record in records for name in (record.request_id, record.server_request_id) if name}
    found = {record.index: dict(record.server_seconds) for record in records if _complete(record.server_seconds)}
    for number, line in enumerate(log, start=1):
        if not line.lstrip().startswith(b"{"):
            continue
        try:
            entry = msgspec.json.decode(line, type=LogLine)
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"line {number} of the server's log is not a record: {error}") from error
        phases = _phases(entry)
        if phases is not None and entry.request_id in index:
            found[index[entry.request_id]] = phases
    return found


def _complete(phases: Mapping[str, float]) -> bool:
    return {"queue", "prefill", "decode"} <= set(phases)


def _phases(entry: LogLine) -> dict[str, float] | None:
    if entry.e2e_seconds is None or entry.ttft_seconds is None:
        return None
    queue, flush = entry.queue_seconds or 0.0, entry.flush_seconds or 0.0
    return {
        "queue": queue,
        "prefill": entry.ttft_seconds - queue,
        "decode": entry.e2e_seconds - entry.ttft_seconds - flush,
        "flush": flush,
    }


def account(records: Sequence[RequestRecord], phases: Mapping[int, Mapping[str, float]]) -> Account | None:
    """Means over the requests that both sides know; None when there are none."""
    rows, impossible = [], 0
    for record in records:
        whole = record.since_scheduled(record.ended_at)
        client = record.since_scheduled(record.sent_at)
        server = phases.get(record.index)
        if whole is None or client is None or server is None:
            continue
        known = {name: float(server.get(name, 0.0)) for name in PHASES[2:]}
        way = whole - client - sum(known.values())
        impossible += way < -_CLOCKS_DIFFER
        rows.append({"client": client, "network and gateway": way, **known})
    if not rows:
        return None
    means = {name: sum(row[name] for row in rows) / len(rows) for name in PHASES}
    return Account(means, len(rows), len(records), impossible)
