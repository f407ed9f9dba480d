"""A request that has ended, as the spans of its trace: one for the whole at this server, and one for each phase.

Names and attributes follow OpenTelemetry's conventions for generative AI, which are in development; their constants in
OpenTelemetry's own package are deprecated, so the names are written here. No text of a prompt or an answer is among
them.
"""

# ruff: noqa: D102 - the protocol names attributes that their owner documents
from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from podium.core.generation import SamplingParams, Usage
from podium.core.outcome import BAD
from podium.core.trace_context import TraceContext, new_span_id

PROVIDER = "podium"
PHASE_SPANS = {"api": "admission", "queue": "queue", "prefill": "prefill", "decode": "decode", "flush": "flush"}
"""Names of the phases' spans by the phase of the log line, in their order."""
_NANO = 1_000_000_000
_SCOPE = InstrumentationScope("podium")
_Value = str | bool | int | float | tuple[str, ...]


class TracedRequest(Protocol):
    """What spans tell of a request."""

    @property
    def trace(self) -> TraceContext: ...
    @property
    def request_id(self) -> str: ...
    @property
    def operation(self) -> str | None: ...
    @property
    def sampling(self) -> SamplingParams | None: ...
    @property
    def route(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def outcome(self) -> str: ...
    @property
    def error_code(self) -> str | None: ...
    @property
    def model(self) -> str: ...
    @property
    def stream(self) -> bool: ...
    @property
    def finish_reason(self) -> str | None: ...
    @property
    def cache_status(self) -> str | None: ...
    @property
    def usage(self) -> Usage: ...
    @property
    def e2e_seconds(self) -> float: ...
    def phases(self) -> Mapping[str, float]: ...


def spans_of(request: TracedRequest, ended_at_nanoseconds: int, resource: Resource) -> Iterator[ReadableSpan]:
    """The server's span and those of its phases, as far as they are known; times are Unix nanoseconds."""
    trace = request.trace
    state = TraceState.from_header([trace.state]) if trace.state else TraceState()
    own = _context(trace, trace.span_id, state)
    start = ended_at_nanoseconds - int(request.e2e_seconds * _NANO)
    yield ReadableSpan(
        name=_name(request),
        context=own,
        parent=None if trace.parent_id is None else _context(trace, trace.parent_id, state, remote=True),
        kind=SpanKind.SERVER,
        resource=resource,
        attributes=attributes_of(request),
        status=Status(StatusCode.ERROR, request.error_code) if request.outcome in BAD else Status(StatusCode.UNSET),
        start_time=start,
        end_time=ended_at_nanoseconds,
        instrumentation_scope=_SCOPE,
    )
    at = start
    for phase, seconds in request.phases().items():
        begin, at = at, at + int(seconds * _NANO)
        yield ReadableSpan(
            name=PHASE_SPANS[phase],
            context=_context(trace, new_span_id(), state),
            parent=own,
            kind=SpanKind.INTERNAL,
            resource=resource,
            start_time=begin,
            end_time=at,
            instrumentation_scope=_SCOPE,
        )


def _name(request: TracedRequest) -> str:
    if request.operation is None or request.model == "none":
        return f"{request.method} {request.route}"
    return f"{request.operation} {request.model}"


def attributes_of(request: TracedRequest) -> dict[str, _Value]:
    """Attributes of the server's span; what is not known is left out."""
    found: dict[str, _Value | None] = {
        "http.request.method": request.method,
        "http.route": request.route,
        "http.response.status_code": request.status or None,
        "error.type": None if request.outcome == "ok" else request.error_code or request.outcome,
        "podium.request_id": request.request_id,
        "podium.outcome": request.outcome,
        "podium.cache": request.cache_status,
    }
    if request.operation is not None and request.model != "none":
        found |= _generation(request, request.operation)
    return {name: value for name, value in found.items() if value is not None}


def _generation(request: TracedRequest, operation: str) -> dict[str, _Value | None]:
    asked = request.sampling or SamplingParams()
    return {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": request.model,
        "gen_ai.request.stream": request.stream,
        "gen_ai.request.max_tokens": asked.max_tokens,
        "gen_ai.request.temperature": asked.temperature,
        "gen_ai.request.top_p": asked.top_p,
        "gen_ai.request.seed": asked.seed,
        "gen_ai.response.id": request.request_id,
        "gen_ai.response.model": request.model,
        "gen_ai.response.finish_reasons": None if request.finish_reason is None else (request.finish_reason,),
        "gen_ai.usage.input_tokens": request.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": request.usage.completion_tokens,
    }


def _context(trace: TraceContext, span_id: str, state: TraceState, *, remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(trace.trace_id, 16), int(span_id, 16), remote, flags, state)
