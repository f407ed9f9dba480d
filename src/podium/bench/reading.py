"""From an exchange to a record: events, tokens, usage, and how it really ended. Done after the run.

A status of 200 proves nothing: an answer is good when it has text frames without an error among them, a finish reason,
the last frame of its dialect, a whole HTTP body, and the usage that was asked for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec

from podium.bench.dialect import Dialect, Frame, error_words
from podium.bench.events import EventSplitter
from podium.bench.exchange import Exchange
from podium.bench.record import Failure, Outcome, RequestRecord

_STATUS = {401: Failure.UNAUTHORIZED, 403: Failure.UNAUTHORIZED, 429: Failure.RATE_LIMITED}
_OVERLOADED = frozenset({503, 529})


def record_of(exchange: Exchange, dialect: Dialect, start: float, worker: int) -> RequestRecord:
    """What happened, in seconds since ``start``."""
    record = RequestRecord(
        index=exchange.index,
        worker=worker,
        request_id=exchange.request_id,
        server_request_id="" if exchange.server_request_id == exchange.request_id else exchange.server_request_id,
        session=exchange.session,
        turn=exchange.turn,
        stage=max(0, exchange.stage),
        warm_up=exchange.stage < 0,
        scheduled_at=round(exchange.scheduled_at, 7),
        begun_at=_since(exchange.begun_at, start),
        sent_at=_since(exchange.sent_at, start),
        connected_at=_since(exchange.connected_at, start),
        headers_at=_since(exchange.headers_at, start),
        first_byte_at=_since(exchange.pieces[0][0], start) if exchange.pieces else None,
        ended_at=_since(exchange.ended_at, start),
        status=exchange.status,
        prompt_tokens_asked=exchange.prompt_tokens if dialect.tells_usage else None,
        output_tokens_asked=exchange.output_tokens if dialect.generates else None,
        cancel_after_tokens=exchange.cancel_after_tokens,
        bytes_sent=exchange.bytes_sent,
        bytes_received=exchange.bytes_received,
        cache=exchange.cache,
        server_seconds=server_timing(exchange.server_timing),
    )
    said = _Said(record)
    if exchange.status is not None and 200 <= exchange.status < 300 and exchange.event_stream == dialect.streams:
        said.read(exchange, dialect, start)
    _judge(record, exchange, said, dialect)
    return record


class _Said:
    """Reads the frames of a stream into a record."""

    def __init__(self, record: RequestRecord) -> None:
        self.record = record
        self.error: str | None = None
        self.malformed = ""
        self.last = False
        self._pending = 0  # tokens of frames without text, told with the next frame that has some
        self._running = 0  # what a continuous usage has told so far
        self._known = True

    def read(self, exchange: Exchange, dialect: Dialect, start: float) -> None:
        """All frames; stops at the first that is none. A whole answer is not one: it has an end, and no first token."""
        try:
            if not dialect.streams:
                self._take_whole(exchange, dialect, start)
                return
            for stamp, frame in frames(exchange, dialect):
                self._take(round(stamp - start, 7), frame)
        except ValueError as error:
            self.malformed = str(error)[:200] or "not an event of this dialect"
        self._close()

    def _take_whole(self, exchange: Exchange, dialect: Dialect, start: float) -> None:
        frame = _whole(exchange, dialect)
        self.error = frame.error
        record = self.record
        record.finish_reason = frame.finish_reason
        record.prompt_tokens_reported = frame.prompt_tokens
        record.cached_prompt_tokens_reported = frame.cached_prompt_tokens
        record.output_tokens_reported = frame.output_tokens
        record.last_token_at = _since(exchange.last_read_at, start)

    def _take(self, stamp: float, frame: Frame) -> None:
        record = self.record
        self.error = self.error or frame.error
        self.last = self.last or frame.last
        record.finish_reason = frame.finish_reason or record.finish_reason
        self._usage(frame)
        if not (frame.text or frame.reasoning):
            return
        record.token_at.append(stamp)
        record.frame_tokens.append(self._pending)
        self._pending = 0
        if record.first_token_at is None:
            record.first_token_at = stamp
        if record.first_output_at is None and frame.text:
            record.first_output_at = stamp

    def _usage(self, frame: Frame) -> None:
        record = self.record
        if frame.prompt_tokens is not None:
            record.prompt_tokens_reported = frame.prompt_tokens
        if frame.cached_prompt_tokens is not None:
            record.cached_prompt_tokens_reported = frame.cached_prompt_tokens
        if frame.frame_tokens is not None:
            self._pending += frame.frame_tokens
        elif frame.output_tokens is not None and not frame.last:
            self._pending += max(0, frame.output_tokens - self._running)
            self._running = frame.output_tokens
        elif frame.text or frame.reasoning:
            self._known = False
        if frame.output_tokens is not None:
            record.output_tokens_reported = frame.output_tokens

    def _close(self) -> None:
        record = self.record
        record.frames = len(record.token_at)
        record.last_token_at = record.token_at[-1] if record.token_at else None
        if not self._known or not record.frames:
            record.frame_tokens = []
            return
        record.frame_tokens[-1] += self._pending
        record.output_tokens_counted = sum(record.frame_tokens)


def _judge(record: RequestRecord, exchange: Exchange, said: _Said, dialect: Dialect) -> None:
    """Outcome, failure and its detail."""
    if exchange.cancelled:
        record.outcome = Outcome.CANCELLED
        return
    if exchange.unfinished:
        record.outcome = Outcome.UNFINISHED
        return
    found = _failure(record, exchange, said, dialect)
    record.outcome = Outcome.OK if found is None else Outcome.FAILED
    if found is not None:
        record.failure, record.detail = found


def _failure(record: RequestRecord, exchange: Exchange, said: _Said, dialect: Dialect) -> tuple[Failure, str] | None:
    if exchange.failure is not None:
        return exchange.failure, exchange.detail
    if exchange.status is None:
        return Failure.RESET, exchange.detail
    if not 200 <= exchange.status < 300:
        return _by_status(exchange.status), body_words(exchange) or f"status {exchange.status}"
    return _body_failure(record, exchange, said, dialect)


def _body_failure(
    record: RequestRecord, exchange: Exchange, said: _Said, dialect: Dialect
) -> tuple[Failure, str] | None:
    if exchange.content_encoding.lower() not in {"", "identity"}:
        return Failure.MALFORMED, f"the body is encoded ({exchange.content_encoding}), which nobody asked for"
    if exchange.event_stream == dialect.streams:
        return (_stream_failure if dialect.streams else _whole_failure)(record, exchange, said, dialect)
    if exchange.event_stream:
        return Failure.MALFORMED, "an event stream, where a whole answer was asked for"
    words = body_words(exchange)
    return (Failure.IN_BAND_ERROR, words) if words else (Failure.MALFORMED, "the answer is not an event stream")


def _stream_failure(
    record: RequestRecord, exchange: Exchange, said: _Said, dialect: Dialect
) -> tuple[Failure, str] | None:
    if said.error is not None:
        return Failure.IN_BAND_ERROR, said.error
    if said.malformed:
        return Failure.MALFORMED, said.malformed
    if not exchange.complete or not said.last or record.finish_reason is None:
        return Failure.TRUNCATED, _missing(exchange, said, record)
    if dialect.tells_usage and record.output_tokens_reported is None:
        return Failure.NO_USAGE, "no frame had usage"
    return None


def _whole_failure(
    record: RequestRecord, exchange: Exchange, said: _Said, dialect: Dialect
) -> tuple[Failure, str] | None:
    if not exchange.complete:
        return Failure.TRUNCATED, "without the end of the body"
    if said.error is not None:
        return Failure.IN_BAND_ERROR, said.error
    if said.malformed:
        return Failure.MALFORMED, said.malformed
    if dialect.generates and record.finish_reason is None:
        return Failure.TRUNCATED, "without a finish reason"
    told = record.output_tokens_reported if dialect.generates else record.prompt_tokens_reported
    if dialect.tells_usage and told is None:
        return Failure.NO_USAGE, "the answer has no usage"
    return None


def _missing(exchange: Exchange, said: _Said, record: RequestRecord) -> str:
    missing = [
        *([] if exchange.complete else ["the end of the body"]),
        *([] if said.last else ["the last frame"]),
        *([] if record.finish_reason else ["a finish reason"]),
    ]
    return f"without {', '.join(missing)}, after {record.frames} token frames"


def _by_status(status: int) -> Failure:
    if status in _STATUS:
        return _STATUS[status]
    if status in _OVERLOADED:
        return Failure.OVERLOADED
    if status >= 500:
        return Failure.SERVER_ERROR
    return Failure.CLIENT_ERROR if status >= 400 else Failure.REDIRECT


def frames(exchange: Exchange, dialect: Dialect) -> Iterator[tuple[float, Frame]]:
    """Every frame with the stamp of the read that completed it. Raises ``ValueError`` at one that is none."""
    splitter = EventSplitter()
    for stamp, piece in exchange.pieces:
        for name, data in splitter.feed(piece):
            yield stamp, dialect.read(name, data)


def answer_text(exchange: Exchange, dialect: Dialect) -> str | None:
    """The text of a good answer, for the next turn of a conversation; None for any other."""
    record = record_of(exchange, dialect, 0.0, 0)
    if record.outcome is not Outcome.OK:
        return None
    if not dialect.streams:
        return _whole(exchange, dialect).text
    return "".join(frame.text for _, frame in frames(exchange, dialect))


def _whole(exchange: Exchange, dialect: Dialect) -> Frame:
    return dialect.whole(b"".join(piece for _, piece in exchange.pieces))


def body_words(exchange: Exchange) -> str:
    """Code and message of an error body; "" where it has none."""
    with contextlib.suppress(msgspec.DecodeError):
        body: Any = msgspec.json.decode(b"".join(piece for _, piece in exchange.pieces))
        if isinstance(body, dict) and body.get("error") is not None:
            return error_words(body["error"])
    return ""


def server_timing(header: str) -> dict[str, float]:
    """Seconds by name out of a ``server-timing`` header (its durations are milliseconds)."""
    found = {}
    for entry in header.split(","):
        name, *members = (part.strip() for part in entry.split(";"))
        for member in members:
            key, _, value = member.partition("=")
            if key.strip() == "dur":
                with contextlib.suppress(ValueError):
                    found[name] = float(value.strip('"')) / 1000
    return found


def _since(stamp: float | None, start: float) -> float | None:
    return None if stamp is None else round(stamp - start, 7)
