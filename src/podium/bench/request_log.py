"""Podium's own request log as a trace: when requests came and how long they were, and nothing else of them.

No text, key, tenant, model or request id goes into the trace, and its times start at 0. Lengths of prompts and answers
are those of the log. Requests that never reached a model are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from podium.bench.traces import MooncakeLine
from podium.core.errors import InvalidRequest

ROUTES = frozenset(
    {"/v1/completions", "/v1/chat/completions", "/generate", "/v1/messages", "/api/chat", "/api/generate"}
)


def trace_of(lines: Iterable[str], *, model: str | None = None) -> list[MooncakeLine]:
    """The generation requests of a log, by arrival, as Mooncake lines (milliseconds since the first).

    ``model`` keeps those of one model. Raises ``InvalidRequest`` when there is none.
    """
    found = sorted(_requests(lines, model))
    if not found:
        raise InvalidRequest("the log holds no answered generation request; JSON logs are needed (logs.format: json)")
    first = found[0][0]
    return [
        MooncakeLine(timestamp=round((at - first) * 1000, 3), input_length=prompt, output_length=output)
        for at, prompt, output in found
    ]


def trace_text(trace: Iterable[MooncakeLine]) -> str:
    """The file: JSONL as published Mooncake traces have it."""
    encoder = msgspec.json.Encoder()
    return "".join(encoder.encode(line).decode() + "\n" for line in trace)


def request_entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The canonical lines of a server's log: one for each request. What else stands in the log is passed over."""
    return _entries(lines, "request")


def gateway_entries(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The same of a gateway's access log. It may be the same file: a log of ``podium up`` holds both."""
    return _entries(lines, "gateway request")


def _entries(lines: Iterable[str], event: str) -> Iterator[dict[str, Any]]:
    for line in lines:
        start = line.find("{")
        if start < 0:
            continue
        try:
            entry = json.loads(line[start:])
        except ValueError:
            continue
        if isinstance(entry, dict) and entry.get("event") == event:
            yield entry


def _requests(lines: Iterable[str], model: str | None) -> Iterator[tuple[float, int, int]]:
    for entry in request_entries(lines):
        prompt, output = entry.get("prompt_tokens"), entry.get("output_tokens")
        if entry.get("route") not in ROUTES or not prompt or not output:
            continue
        if model is not None and entry.get("model") != model:
            continue
        ended = datetime.fromisoformat(str(entry["ts"])).timestamp()
        yield ended - float(entry.get("e2e_seconds") or 0.0), int(prompt), int(output)
