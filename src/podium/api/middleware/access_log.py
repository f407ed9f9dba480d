"""One line for each request, written when it ends, and the two calls of the request observer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.observer import RequestObserver
from podium.api.principal import acts_for, known_principal
from podium.api.recent_requests import RecentRequests
from podium.api.record import RequestRecord, record_of
from podium.core.identity import Principal
from podium.core.phase import listen

_log = structlog.get_logger("podium.access")
_ATTEMPT = "x-envoy-attempt-count"
QUIET = frozenset({"/livez", "/readyz", "/startupz", "/metrics", "/health", "/requests/recent"})
"""Asked all the time, by machines: their lines are of the level debug, and they have no trace."""


class AccessLog:
    """Writes the canonical line, tells the observer and ``recent``. None of them holds any text of a caller, nor a key.

    ``route_of`` maps a scope to a route's template; it is asked before anything else is done, so that
    ``received`` and ``finished`` always carry the same label.
    """

    def __init__(
        self,
        app: ASGIApp,
        observer: RequestObserver,
        route_of: Callable[[Scope], str],
        recent: RecentRequests,
    ) -> None:
        self.app = app
        self.observer = observer
        self.route_of = route_of
        self.recent = recent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; log and report it when it ends, however it ends."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        record = record_of(scope)
        record.route = self.route_of(scope)
        record.attempt = _attempt_of(scope)
        listen(record.enter)
        is_background = acts_for(scope) is not None
        if not is_background:
            self.observer.received(record)

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
                if record.status < 400:
                    record.outcome = "ok"
            else:
                record.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, counted_send)
        finally:
            _note_caller(record, known_principal(scope))
            record.e2e_seconds = time.monotonic() - record.started_monotonic_seconds
            tell = self.observer.background if is_background else self.observer.finished
            tell(record)
            if not is_background and record.route not in QUIET:
                self.recent.note(record)
            _write(record)


def _attempt_of(scope: Scope) -> int | None:
    """What the gateway says, whose count replaces what a client sends there."""
    told = Headers(scope=scope).get(_ATTEMPT, "")
    return int(told) if re.fullmatch("[1-9][0-9]?", told) else None


def _note_caller(record: RequestRecord, caller: Principal | None) -> None:
    if caller is not None:
        record.tenant, record.key_id = caller.tenant, caller.key_id


def _write(record: RequestRecord) -> None:
    write = _log.debug if record.route in QUIET else _log.info
    phases = {name: round(seconds, 6) for name, seconds in record.phases().items()}
    write(
        "request",
        route=record.route,
        method=record.method,
        status=record.status,
        outcome=record.outcome,
        error_code=record.error_code,
        attempt=record.attempt,
        tenant=record.tenant,
        key_id=record.key_id,
        model=record.model,
        version=record.version,
        engine=record.engine,
        cache=record.cache_status,
        stream=record.stream,
        finish_reason=record.finish_reason,
        prompt_tokens=record.usage.prompt_tokens,
        cached_prompt_tokens=record.usage.cached_tokens,
        output_tokens=record.usage.completion_tokens,
        api_seconds=phases.get("api"),
        queue_seconds=record.queue_seconds,
        prefill_seconds=phases.get("prefill"),
        decode_seconds=phases.get("decode"),
        flush_seconds=phases.get("flush"),
        ttft_seconds=record.ttft_seconds,
        tpot_seconds=record.seconds_per_output_token,
        e2e_seconds=round(record.e2e_seconds, 6),
        bytes_in=record.bytes_in,
        bytes_out=record.bytes_out,
    )
