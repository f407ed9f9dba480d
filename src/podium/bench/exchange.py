"""One request on the wire: the stamps and the bytes, as they came. Nothing is read out of them here."""

from __future__ import annotations

import msgspec

from podium.bench.record import Failure
from podium.bench.workload import Planned


class Exchange(msgspec.Struct, kw_only=True, gc=False, eq=False):
    """Stamps are of ``time.monotonic``, seconds. ``pieces`` are those of the body, each with the stamp of its read."""

    index: int
    scheduled_at: float
    stage: int
    request_id: str
    session: str = ""
    turn: int = 0
    prompt_tokens: int | None = None
    output_tokens: int | None = None
    cancel_after_tokens: int | None = None

    begun_at: float | None = None
    connected_at: float | None = None
    sent_at: float | None = None
    first_read_at: float | None = None
    headers_at: float | None = None
    last_read_at: float | None = None
    ended_at: float | None = None
    status: int | None = None
    event_stream: bool = False
    content_encoding: str = ""
    server_request_id: str = ""
    server_timing: str = ""
    cache: str = ""
    pieces: list[tuple[float, bytes]] = []
    bytes_sent: int = 0
    bytes_received: int = 0
    complete: bool = False  # the HTTP message was whole
    cancelled: bool = False
    unfinished: bool = False
    failure: Failure | None = None
    detail: str = ""

    @classmethod
    def of(cls, planned: Planned, request_id: str) -> Exchange:
        """Not begun yet."""
        return cls(
            index=planned.index,
            scheduled_at=planned.scheduled_at,
            stage=planned.stage,
            request_id=request_id,
            session=planned.session,
            turn=planned.turn,
            prompt_tokens=planned.prompt_tokens,
            output_tokens=planned.ask.output_tokens,
            cancel_after_tokens=planned.cancel_after_tokens,
        )
