"""What is known of one HTTP request when it ends: the source of its log line and its metrics."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from podium.core.generation import SamplingParams, Usage
from podium.core.outcome import Outcome
from podium.core.phase import Phase
from podium.core.standing import CacheStatus, Standing
from podium.core.trace_context import TraceContext, continue_trace
from podium.protocols.answer_report import AnswerReport, End

_KEY = "podium.record"
ARRIVED = "podium.arrived"
"""In a scope: when the last of the request's headers was read from the socket, as ``time.monotonic`` has it."""


@dataclass(slots=True)
class RequestRecord:
    """Filled by whoever learns something. Holds no text of prompts or answers, and of headers only the caller's trace.

    ``attempt``: of the gateway's attempts at this request, which one this is; None where no gateway counts.
    ``model`` is ``none`` until it is resolved by the server, so a caller cannot invent label values.
    ``tenant`` and ``key_id`` are None until the caller is known. ``cache_status``, ``age_seconds``,
    ``similarity`` and ``standings`` are those of all generations of the call together; see ``podium.api.answer_facts``.
    ``has_text``: any piece of the answer had some. ``usage`` is what the caller was told, ``computed`` the part of it
    that an engine worked for. ``operation`` is what OpenTelemetry's conventions call the call, None for what they do
    not know, and ``sampling`` its parameters.

    The ``*_at_seconds`` count from the arrival; of several prompts the first counts. ``queued`` and ``running``: when
    the request began to wait for the batch, and got its place. ``begun`` and ``generated``: when the first and the
    last piece of the answer was there.
    """

    request_id: str
    trace: TraceContext = field(default_factory=lambda: continue_trace(None))
    route: str = "unmatched"
    method: str = "GET"
    status: int = 0
    outcome: Outcome = "server_error"
    error_code: str | None = None
    attempt: int | None = None
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
    operation: str | None = None
    sampling: SamplingParams | None = None
    queued_at_seconds: float | None = None
    running_at_seconds: float | None = None
    begun_at_seconds: float | None = None
    generated_at_seconds: float | None = None
    e2e_seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    started_monotonic_seconds: float = field(default_factory=time.monotonic)

    def seconds_so_far(self) -> float:
        """Time since the request arrived."""
        return round(time.monotonic() - self.started_monotonic_seconds, 6)

    def enter(self, phase: Phase) -> None:
        """The request has got so far; the first time counts."""
        if phase == "queue" and self.queued_at_seconds is None:
            self.queued_at_seconds = self.seconds_so_far()
        elif phase == "run" and self.running_at_seconds is None:
            self.running_at_seconds = self.seconds_so_far()

    @property
    def phase(self) -> Phase:
        """How far it is; of several prompts, the furthest."""
        if self.generated_at_seconds is not None:
            return "flush"
        if self.running_at_seconds is not None:
            return "run"
        return "admit" if self.queued_at_seconds is None else "queue"

    def phases(self) -> dict[str, float]:
        """``e2e_seconds`` in parts that add up to it: api, queue, prefill, decode, flush. Empty where one is not known.

        An answer that was not computed for this request has no queue and no prefill: they are 0.
        """
        begun, generated = self.begun_at_seconds, self.generated_at_seconds
        if begun is None or generated is None:
            return {}
        running = begun if self.running_at_seconds is None else min(begun, self.running_at_seconds)
        queued = running if self.queued_at_seconds is None else min(running, self.queued_at_seconds)
        return {
            "api": queued,
            "queue": running - queued,
            "prefill": begun - running,
            "decode": generated - begun,
            "flush": self.e2e_seconds - generated,
        }

    @property
    def queue_seconds(self) -> float | None:
        """Wait for the running batch; None for what never waited, or still does."""
        if self.queued_at_seconds is None or self.running_at_seconds is None:
            return None
        return round(self.running_at_seconds - self.queued_at_seconds, 6)

    @property
    def is_computed(self) -> bool:
        """Whether its first token was computed for this request: a kept answer has none, nor one that others asked for.

        Of several prompts the one that answers first counts.
        """
        running, begun = self.running_at_seconds, self.begun_at_seconds
        return running is not None and begun is not None and running <= begun

    @property
    def prefill_seconds(self) -> float | None:
        """From a place in the batch to the first token; None unless that was computed for this request."""
        if self.running_at_seconds is None or self.begun_at_seconds is None or not self.is_computed:
            return None
        return self.begun_at_seconds - self.running_at_seconds

    @property
    def decode_seconds(self) -> float | None:
        """From the first token to the last; None unless it is known."""
        if self.begun_at_seconds is None or self.generated_at_seconds is None:
            return None
        return self.generated_at_seconds - self.begun_at_seconds

    @property
    def ttft_seconds(self) -> float | None:
        """From the request's arrival to its first token; None where there was none."""
        return self.begun_at_seconds

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
