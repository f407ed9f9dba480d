"""One request of a load test: when things happened to it, and how it ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """How a request ended; each has exactly one."""

    OK = "ok"
    FAILED = "failed"
    CANCELLED = "cancelled"  # on purpose, after the planned number of tokens
    UNFINISHED = "unfinished"  # in flight when the run was ended


class Failure(StrEnum):
    """Why a request failed. ``FAILURE_MEANINGS`` says each in words."""

    NAME_UNKNOWN = "name_unknown"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    CONNECT_TIMEOUT = "connect_timeout"
    RESET = "reset"
    HEADERS_TIMEOUT = "headers_timeout"
    STALLED = "stalled"
    TIMEOUT = "timeout"
    NOT_HTTP = "not_http"
    UNAUTHORIZED = "unauthorized"
    CLIENT_ERROR = "client_error"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    REDIRECT = "redirect"
    IN_BAND_ERROR = "in_band_error"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    NO_USAGE = "no_usage"


FAILURE_MEANINGS = {
    Failure.NAME_UNKNOWN: "the host name has no address",
    Failure.UNREACHABLE: "nothing accepts connections there",
    Failure.TLS: "the TLS handshake failed, or the certificate is not trusted",
    Failure.CONNECT_TIMEOUT: "no connection within the connect timeout",
    Failure.RESET: "the connection was closed or reset before an answer began",
    Failure.HEADERS_TIMEOUT: "connected and sent, but no answer began in time",
    Failure.STALLED: "the answer began, then no byte came for the stall timeout",
    Failure.TIMEOUT: "bytes came, but the answer was not over within the request timeout",
    Failure.NOT_HTTP: "what came back is not HTTP/1.1",
    Failure.UNAUTHORIZED: "401 or 403",
    Failure.CLIENT_ERROR: "another status 4xx",
    Failure.RATE_LIMITED: "429",
    Failure.OVERLOADED: "503 or 529",
    Failure.SERVER_ERROR: "another status 5xx",
    Failure.REDIRECT: "a status 1xx or 3xx, which is not followed",
    Failure.IN_BAND_ERROR: "an error frame in an answer with status 200",
    Failure.TRUNCATED: "the answer ended without its end: no finish reason, no last frame, or a cut body",
    Failure.MALFORMED: "a frame or body that is not the JSON of this dialect",
    Failure.NO_USAGE: "usage was asked for and did not come",
}


class RequestRecord(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What happened to one request.

    All ``*_at`` stamps are seconds since the start of the run (``Provenance.started_at``), taken from one monotonic
    clock at the moment the bytes were handed to or came from the socket; None where it did not happen. Token stamps
    belong to frames with non-empty content, reasoning or tool call; ``frame_tokens`` (same length, may be empty when
    nobody knows) says how many tokens each of them carried.
    """

    index: int  # position in the schedule; the key of a request within a run
    worker: int = 0
    request_id: str = ""  # what was sent as x-request-id
    server_request_id: str = ""  # what came back, where it differs
    session: str = ""  # conversation, or ""
    turn: int = 0
    stage: int = 0  # stage of the load that planned it
    warm_up: bool = False  # sent in the warm-up: in no figure

    scheduled_at: float
    begun_at: float | None = None  # taken up by the client: written, or connecting began
    sent_at: float | None = None
    connected_at: float | None = None  # only when this request opened the connection
    headers_at: float | None = None
    first_byte_at: float | None = None  # first byte of the body
    first_token_at: float | None = None
    first_output_at: float | None = None  # first token frame that is not reasoning
    token_at: list[float] = []  # every token frame, first and last included
    frame_tokens: list[int] = []
    last_token_at: float | None = None  # of an answer that was not streamed: its last byte
    ended_at: float | None = None  # last byte, or the moment of failure

    outcome: Outcome = Outcome.UNFINISHED
    failure: Failure | None = None
    detail: str = ""  # of a failure, at most 200 characters
    status: int | None = None
    finish_reason: str | None = None

    prompt_tokens_asked: int | None = None
    prompt_tokens_reported: int | None = None
    cached_prompt_tokens_reported: int | None = None
    output_tokens_asked: int | None = None
    output_tokens_reported: int | None = None  # usage of the server
    output_tokens_counted: int | None = None  # client's own count: frames, or recount by the tokenizer
    frames: int = 0  # token frames
    cancel_after_tokens: int | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    cache: str = ""  # what the server said of its response cache: hit, miss, bypass, ...
    server_seconds: dict[str, float] = {}  # phases that the server told: queue, prefill, decode, flush, ...

    @property
    def output_tokens(self) -> int | None:
        """Tokens of the answer: what the server reported, else what was counted."""
        return self.output_tokens_counted if self.output_tokens_reported is None else self.output_tokens_reported

    def since_scheduled(self, stamp: float | None) -> float | None:
        """Seconds from the planned time to ``stamp``: what a user would have felt."""
        return None if stamp is None else stamp - self.scheduled_at

    def since_sent(self, stamp: float | None) -> float | None:
        """Seconds from the first byte sent to ``stamp``: what the server answers for."""
        return None if stamp is None or self.sent_at is None else stamp - self.sent_at
