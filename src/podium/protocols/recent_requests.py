"""Requests that ended lately, as a server tells them: figures and names of the configuration, no text of a caller."""

from __future__ import annotations

from typing import Annotated

import msgspec

from podium.core.outcome import Outcome

Word = Annotated[str, msgspec.Meta(max_length=256)]


class RecentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that has ended; what is not known of it is null.

    ``at`` is when it ended, in seconds since 1970. ``request_id`` is that of the answer's header, ``trace_id`` that of
    its trace, where there is one.
    """

    at: float
    request_id: Word
    trace_id: Word | None = None
    route: Word
    model: Word
    version: Word
    status: int
    outcome: Outcome
    error_code: Word | None = None
    stream: bool = False
    cache: Word | None = None
    finish_reason: Word | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    queue_seconds: float | None = None
    ttft_seconds: float | None = None
    e2e_seconds: float


class RecentRequestsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /requests/recent``.

    ``slowest``: those with the longest end-to-end times among all that ended in the last ``window_seconds``, the
    slowest first. ``newest``: the last ones that ended, the newest first.
    """

    window_seconds: float
    slowest: list[RecentRequest]
    newest: list[RecentRequest]
