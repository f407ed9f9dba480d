"""Batches for tests: input files, a keeper in a folder, and a model's stand-in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.batches.keeper import BatchKeeper
from podium.batches.runner import BatchRunner
from podium.config.batches import Batches
from podium.core.batch import Order, StoredBatch
from podium.core.identity import Principal
from support.deadline import soon

ACME = Principal(tenant="acme", key_id="k1", roles=frozenset({"infer"}))
OTHER = Principal(tenant="other", key_id="k2", roles=frozenset({"infer"}))
ADMIN = Principal(tenant="operators", key_id="k3", roles=frozenset({"admin"}))
ENDPOINT = "/v1/completions"


def line(custom_id: str, url: str = ENDPOINT, **body: Any) -> dict[str, Any]:
    """One line of an input file."""
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": {"model": "echo", **body}}


def jsonl(*lines: object) -> bytes:
    """Lines as a file; bytes are a line as they are."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in lines)


def numbered(count: int, **body: Any) -> bytes:
    """A file of ``count`` lines whose ids and prompts are their numbers."""
    return jsonl(*(line(str(number), **{"prompt": f"line {number}", **body}) for number in range(count)))


def results(*files: bytes) -> dict[str, dict[str, Any]]:
    """All lines of result files by their custom id; fails when one has two."""
    found: dict[str, dict[str, Any]] = {}
    for text in b"".join(files).splitlines():
        result = json.loads(text)
        assert result["custom_id"] not in found, "a line has two results"
        found[result["custom_id"]] = result
    return found


@dataclass
class Told:
    """An answer."""

    status: int = 200
    body: bytes = b'{"ok":true}'
    headers: dict[str, str] = field(default_factory=dict)


def refusal(status: int, code: str, **headers: str) -> Told:
    """An error in OpenAI's shape."""
    error = {"message": "no", "type": "t", "param": None, "code": code}
    return Told(status, json.dumps({"error": error}).encode(), {key.replace("_", "-"): v for key, v in headers.items()})


@dataclass
class Model:
    """Answers a line by ``script``; keeps what it was asked."""

    script: Callable[[dict[str, Any]], Awaitable[Told]] | None = None
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0

    async def __call__(self, owner: Principal, endpoint: str, body: bytes, request_id: str) -> Told:
        assert endpoint == ENDPOINT
        told = json.loads(body)
        self.asked.append((owner.tenant, told))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            answer = Told() if self.script is None else await self.script(told)
        finally:
            self.running -= 1
        answer.headers.setdefault("x-request-id", request_id)
        return answer


class Clock:
    """Unix seconds that a test may move."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(
    folder: Path,
    model: Model,
    *,
    wall: Callable[[], float] | None = None,
    elapsed: Callable[[], float] | None = None,
    **settings: Any,
) -> AsyncIterator[BatchKeeper]:
    """A keeper and a runner, as one server has them."""
    keeper = keeper_of(folder, wall=wall, elapsed=elapsed, **settings)
    async with BatchRunner(keeper, model, body_bytes=4096):
        yield keeper


def keeper_of(
    folder: Path,
    *,
    wall: Callable[[], float] | None = None,
    elapsed: Callable[[], float] | None = None,
    **settings: Any,
) -> BatchKeeper:
    """A keeper alone. Time passes as ``wall`` has it, unless it is given as ``elapsed`` has."""
    given = Batches(folder=str(folder), **settings)
    return BatchKeeper(given) if wall is None else BatchKeeper(given, wall=wall, elapsed=elapsed or wall)


async def uploaded(keeper: BatchKeeper, content: bytes, caller: Principal = ACME) -> str:
    """The id of a new file."""
    upload = await keeper.upload(caller)
    try:
        await upload.write(content)
        return (await upload.keep("lines.jsonl")).id
    finally:
        await upload.close()


async def ordered(
    keeper: BatchKeeper, content: bytes, caller: Principal = ACME, *, seconds: int = 86_400
) -> StoredBatch:
    """A new batch of these lines."""
    file_id = await uploaded(keeper, content, caller)
    return await keeper.add_batch(caller, Order(file_id, ENDPOINT, f"{seconds}s", seconds))


async def ended(keeper: BatchKeeper, batch: StoredBatch, *, seconds: float = 20.0) -> StoredBatch:
    """The batch when it has ended."""
    await soon("the batch has ended", lambda: known(keeper, batch).ended, seconds=seconds)
    return known(keeper, batch)


def known(keeper: BatchKeeper, batch: StoredBatch) -> StoredBatch:
    """The batch as it is now."""
    found = keeper.batches.find(None, batch.id)
    assert found is not None
    return found


def contents(keeper: BatchKeeper, batch: StoredBatch) -> Sequence[bytes]:
    """Output file and error file; empty where there is none."""
    ids = (batch.output_file_id, batch.error_file_id)
    return [b"" if one is None else keeper.folder.content(one).read_bytes() for one in ids]
