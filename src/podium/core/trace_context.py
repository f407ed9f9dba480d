"""W3C Trace Context: which trace a request belongs to, continued from its caller or begun here."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

_PARENT = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?\Z")
_SAMPLED = 1
_LOW_BITS = 64
_STATE_CHARACTERS = 512
_random = random.Random()  # noqa: S311 - ids must not repeat; they are no secrets


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One request's place in a trace.

    Attributes:
        trace_id: 32 hex digits, of the whole trace.
        span_id: 16 hex digits, of this request at this server.
        parent_id: the caller's span; None where the trace begins here.
        sampled: whether the trace is recorded.
        state: the caller's ``tracestate``, as it came.
    """

    trace_id: str
    span_id: str
    parent_id: str | None = None
    sampled: bool = False
    state: str = ""

    @property
    def header(self) -> str:
        """This span as ``traceparent`` and ``traceresponse`` write it."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"


def continue_trace(traceparent: str | None, tracestate: str = "", *, ratio: float = 0.0) -> TraceContext:
    """The caller's trace, which says itself whether it is sampled; a new one when ``traceparent`` is none.

    Of new traces ``ratio`` (0 to 1) are sampled, decided by the id alone, as every sampler of OpenTelemetry does. What
    breaks the rules of https://www.w3.org/TR/trace-context/ is ignored.
    """
    given = _PARENT.match(traceparent or "")
    if given is None or (given[1] == "00" and given[5]):  # what version 00 does not know is an error there
        trace_id = f"{_random.getrandbits(128) or 1:032x}"
        sampled = int(trace_id, 16) % 2**_LOW_BITS < ratio * 2**_LOW_BITS
        return TraceContext(trace_id, new_span_id(), sampled=sampled)
    sampled = bool(int(given[4], 16) & _SAMPLED)
    state = tracestate if len(tracestate) <= _STATE_CHARACTERS else ""
    return TraceContext(given[2], new_span_id(), given[3], sampled, state)


def new_span_id() -> str:
    """16 hex digits, never all zero."""
    return f"{_random.getrandbits(64) or 1:016x}"
