"""Published shapes of traces: when requests came, how long they and their answers were, what they shared."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from podium.bench.plan import Turn
from podium.core.errors import InvalidRequest, NotFound

MOONCAKE_BLOCK_TOKENS = 512  # tokens of a hash id in Mooncake's published traces


class MooncakeLine(msgspec.Struct, frozen=True):
    """A line of a Mooncake trace; ``timestamp`` in milliseconds. ``block_tokens`` is ours, 512 where absent."""

    timestamp: float
    input_length: int
    output_length: int
    hash_ids: list[int] = []
    block_tokens: int = MOONCAKE_BLOCK_TOKENS


def read_trace(path: Path) -> list[Turn]:
    """Requests of a trace by time: Azure's CSV (``TIMESTAMP,ContextTokens,GeneratedTokens``) or Mooncake's JSONL.

    Raises:
        NotFound: the file cannot be read.
        InvalidRequest: a line of it has another shape; the message has its number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound("the trace cannot be read as text; check the path") from error
    turns = list(_azure(lines) if lines and lines[0].startswith("TIMESTAMP") else _mooncake(lines))
    if not turns:
        raise InvalidRequest("the trace holds no request")
    turns.sort(key=lambda turn: turn.at)
    return turns


def _mooncake(lines: list[str]) -> Iterator[Turn]:
    decoder = msgspec.json.Decoder(MooncakeLine)
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise _wrong(number, "JSON with timestamp, input_length, output_length and hash_ids") from error
        yield Turn(
            at=entry.timestamp / 1000,
            prompt_tokens=max(1, entry.input_length),
            output_tokens=max(1, entry.output_length),
            blocks=entry.hash_ids,
            block_tokens=entry.block_tokens,
        )


def _azure(lines: list[str]) -> Iterator[Turn]:
    first: datetime | None = None
    for number, row in enumerate(csv.DictReader(lines), start=2):
        try:
            stamp = datetime.fromisoformat(_microseconds(row["TIMESTAMP"]))
            prompt, output = int(row["ContextTokens"]), int(row["GeneratedTokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise _wrong(number, "TIMESTAMP,ContextTokens,GeneratedTokens") from error
        first = first or stamp
        yield Turn(at=(stamp - first).total_seconds(), prompt_tokens=max(1, prompt), output_tokens=max(1, output))


def _microseconds(stamp: str) -> str:
    """Azure's stamps have seven digits of a second; Python reads six."""
    whole, dot, rest = stamp.strip().partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return whole + dot + digits[:6].ljust(6, "0") + rest[len(digits) :] if dot else whole


def _wrong(number: int, shape: str) -> InvalidRequest:
    return InvalidRequest(f"line {number} of the trace is not {shape}")
