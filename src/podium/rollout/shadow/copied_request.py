"""A copy of a client's request, as it is asked again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

PATHS = frozenset(
    {"/v1/chat/completions", "/v1/completions", "/v1/messages", "/generate", "/api/generate", "/api/chat"}
)
"""Text generation, and nothing that could change a server."""

_OWN = frozenset({"host", "accept-encoding", "content-length", "content-type", "idempotency-key", "x-request-id"})
_OF_CONNECTIONS = frozenset(
    {"connection", "te", "trailer", "transfer-encoding", "upgrade", "expect", "keep-alive", "proxy-connection"}
)
_OF_GATEWAYS = ("x-envoy-", "x-podium-arm", "x-podium-user", "x-podium-shadow")


class CopiedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """``headers`` as they came, names in lower case. ``target``: path and query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of both versions. ``wants_json``: an answer that is no JSON would be a bad one."""

    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    wants_json: bool = False


def question_of(copy: CopiedRequest) -> Question | None:
    """The request as it is asked again: whole instead of streamed, by the same caller. None for any other request."""
    if copy.method != "POST" or urlsplit(copy.target).path not in PATHS:
        return None
    try:
        body = msgspec.json.decode(copy.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    body.pop("stream_options", None)
    headers = [(name, value) for name, value in _as_sent(copy.headers) if _is_kept(name)]
    return Question(
        target=copy.target,
        headers=(*headers, ("content-type", "application/json"), ("accept-encoding", "identity")),
        body=msgspec.json.encode({**body, "stream": False}),
        wants_json=_wants_json(body),
    )


def _as_sent(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Without the address of this machine, which Envoy writes behind the client's into its copy, as a proxy would."""
    for name, value in headers:
        if name != "x-forwarded-for":
            yield name, value
        elif client := value.rpartition(",")[0].strip():
            yield name, client


def _is_kept(name: str) -> bool:
    return name not in _OWN | _OF_CONNECTIONS and not name.startswith((":", *_OF_GATEWAYS))


def _wants_json(body: dict[str, Any]) -> bool:
    wished = body.get("response_format")
    return (isinstance(wished, dict) and wished.get("type") in {"json_object", "json_schema"}) or (
        body.get("format") is not None
    )
