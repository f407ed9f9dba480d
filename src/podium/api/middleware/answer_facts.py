"""What an answer says of itself in its headers: where it came from, and how its caller's quotas stand."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.record import RequestRecord, record_of
from podium.api.shadow import word_of
from podium.api.standings import Header, plain_headers, structured_headers
from podium.api.trailers import TRAILER
from podium.protocols.answer_report import FIELD

HEADERS = (
    "x-podium-cache",
    "x-podium-cache-similarity",
    "age",
    *(f"x-ratelimit-{what}-{kind}" for kind in ("requests", "tokens") for what in ("limit", "remaining", "reset")),
    "ratelimit-policy",
    "ratelimit",
)


class AnswerFacts:
    """Adds ``HEADERS``, as far as the request's record knows them when its answer starts; on refusals too.

    Must stand around the error funnel, which is where a refusal becomes an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers to its answer."""

        async def send_with_facts(message: Message) -> None:
            if message["type"] == "http.response.start":
                record = record_of(scope)
                message["headers"] = [
                    *message.get("headers", ()),
                    *_headers(record),
                    *_report(scope, record),
                    *word_of(scope),
                ]
            await send(message)

        await self.app(scope, receive, send_with_facts)


def _headers(record: RequestRecord) -> list[Header]:
    headers: list[Header] = []
    if record.cache_status is not None:
        headers.append((b"x-podium-cache", record.cache_status.encode("ascii")))
    if record.cache_status == "semantic" and record.similarity is not None:
        headers.append((b"x-podium-cache-similarity", b"%.4f" % record.similarity))
    if record.cache_status in {"hit", "semantic"} and record.age_seconds is not None:
        headers.append((b"age", b"%d" % max(0.0, record.age_seconds)))
    if record.standings:
        headers += plain_headers(record.standings)
        headers += structured_headers(record.standings, retry_after_seconds=record.retry_after_seconds)
    return headers


def _report(scope: Scope, record: RequestRecord) -> list[Header]:
    """Of a whole answer, for whoever asks for trailers; a stream's follows as a trailer."""
    if record.stream or record.finish_reason is None or TRAILER not in scope.get("extensions", {}):
        return []
    return [(FIELD.encode("ascii"), record.report().text.encode("ascii"))]
