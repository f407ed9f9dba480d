"""What is known of one HTTP request when it ends: the source of its log line and its metrics."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from podium.core.generation import Usage
from podium.core.outcome import Outcome
from podium.core.standing import CacheStatus, Standing
from podium.protocols.answer_report import AnswerReport, End

_KEY = "podium.record"


@dataclass(slots=True)
class RequestRecord:
    """Filled by whoever learns something. Holds no text of prompts or answers, and no header of the caller.

    ``model`` is ``none`` until it is resolved by the server, so a caller cannot invent label values.
    ``tenant`` and ``key_id`` are None until the caller is known. ``cache_status``, ``age_seconds``,
    ``similarity`` and ``standings`` are those of all generations of the call together; see ``podium.api.answer_facts``.
    ``has_text``: any piece of the answer had some. ``usage`` is what the caller was told, ``computed`` the part of it
    that an engine worked for.
    """

    request_id: str
    route: str = "unmatched"
    method: str = "GET"
    status: int = 0
    outcome: Outcome = "server_error"
    error_code: str | None = None
    model: str = "none"
    version: str = "none"
    tenant: str | None = None
    key_id: str | None = None
    cache_status: CacheStatus | None = None
    age_seconds: float | None = None
    similarity: float | None = None
    standings: tuple[Standing, ...] = ()
    retry_after_seconds: float | None = None
    engine: str = "none"
    stream: bool = False
    finish_reason: str | None = None
    has_text: bool = False
    usage: Usage = field(default_factory=Usage)
    computed: Usage = field(default_factory=Usage)
    queue_seconds: float | None = None
    first_token_seconds: float | None = None
    begun_seconds: float | None = None
    generated_seconds: float | None = None
    e2e_seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    started_monotonic_seconds: float = field(default_factory=time.monotonic)

    def seconds_so_far(self) -> float:
        """Time since the request arrived."""
        return round(time.monotonic() - self.started_monotonic_seconds, 6)

    def phases(self) -> dict[str, float]:
        """``e2e_seconds`` in parts that add up to it: api, queue, prefill, decode, flush. Empty where one is not known.

        ``begun_seconds`` and ``generated_seconds`` are when the first and the last piece was there, since the request
        arrived; ``queue_seconds`` and ``first_token_seconds`` count from when it was accepted, a little later.
        """
        begun, generated = self.begun_seconds, self.generated_seconds
        if self.queue_seconds is None or self.first_token_seconds is None or begun is None or generated is None:
            return {}
        return {
            "api": begun - self.first_token_seconds,
            "queue": self.queue_seconds,
            "prefill": self.first_token_seconds - self.queue_seconds,
            "decode": generated - begun,
            "flush": self.e2e_seconds - generated,
        }

    @property
    def ttft_seconds(self) -> float | None:
        """From the request's arrival to its first token; None where there was none."""
        return None if self.first_token_seconds is None else self.begun_seconds

    @property
    def seconds_per_output_token(self) -> float | None:
        """Time per output token after the first; None for fewer than two tokens."""
        if self.ttft_seconds is None or self.usage.completion_tokens < 2:
            return None
        return max(0.0, self.e2e_seconds - self.ttft_seconds) / (self.usage.completion_tokens - 1)

    def report(self) -> AnswerReport:
        """What the gateway is told of the answer, at its end."""
        end: End = "broken" if self.outcome == "stream_error" else "whole" if self.has_text else "empty"
        since = 0.0 if self.ttft_seconds is None else self.seconds_so_far() - self.ttft_seconds
        return AnswerReport(end, self.usage.completion_tokens, max(0.0, since))


def attach(scope: MutableMapping[str, Any], record: RequestRecord) -> None:
    """Make ``record`` the record of the request."""
    scope[_KEY] = record


def record_of(scope: MutableMapping[str, Any]) -> RequestRecord:
    """The record of the request; made on the spot where no middleware did."""
    if _KEY not in scope:
        scope[_KEY] = RequestRecord(request_id="")
    record: RequestRecord = scope[_KEY]
    return record
