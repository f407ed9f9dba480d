"""Row ``identical``: many equal streams at once are computed once, and all get the same."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from typing import Any

import uvloop

from benchmarks.access.metrics import Metrics, scrape
from benchmarks.access.places import Key, Place, counted_key
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.dialects import call, events_in, text_of
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.podium_server import Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "identical"
STREAMS = 64
ROUNDS = 20
OUTPUT_TOKENS = 60
TOKEN_SECONDS = 0.01
LOOK_SECONDS = 0.05
VARYING = ("id", "created")
"""Members of an event that are each answer's own."""


def measure(around: Surroundings) -> None:
    """Some rounds, each with a new prompt."""
    place = Place(around.work / f"{ROW}.db")
    key = counted_key(place, "infer", "metrics")
    wish = Wish(ROW, {"token_interval_seconds": TOKEN_SECONDS, "max_batch_sequences": STREAMS}, place.sections())
    rounds = 3 if around.quick else ROUNDS
    with podium_server(wish, around) as server:
        before = around.quiet()
        found = [uvloop.run(_round(server, key)) for _ in range(rounds)]
    values = {
        "streams": STREAMS,
        "rounds": rounds,
        "computations": max(one["computations"] for one in found),
        "most_sequences_at_once": max(one["most_sequences_at_once"] for one in found),
        "different_texts": max(one["different_texts"] for one in found),
        "different_frames": max(one["different_frames"] for one in found),
        "failed": sum(one["failed"] for one in found),
    }
    around.record(ROW, values=values, samples=found, before=before, parameters={"output_tokens": OUTPUT_TOKENS})


async def _round(server: Podium, key: Key) -> dict[str, Any]:
    prompt = f"identical {secrets.token_hex(20)} "
    asked = call("chat", prompt, OUTPUT_TOKENS, stream=True, stream_options={"include_usage": True})
    request = post(server.port, asked.path, asked.body, key=key.text)
    connections = [await Connection.open(server.port) for _ in range(STREAMS)]
    before = await asyncio.to_thread(scrape, server.admin_port, key.text)
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_most_sequences(server, key), name="sequences")
        tasks = [group.create_task(one.ask(request), name="stream") for one in connections]
        await asyncio.wait(tasks)
        watch.cancel()
    for connection in connections:
        connection.close()
    after = await asyncio.to_thread(scrape, server.admin_port, key.text)
    most: list[int] = [] if watch.cancelled() else watch.result()
    return _compared([task.result() for task in tasks], before, after, max(most, default=0))


async def _most_sequences(server: Podium, key: Key) -> list[int]:
    """Sequences in the engine's batch, looked at until cancelled."""
    seen: list[int] = []
    try:
        while True:
            metrics = await asyncio.to_thread(scrape, server.admin_port, key.text)
            seen.append(int(metrics.sum("podium_model_running_sequences")))
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        return seen


def _compared(answers: list[Answer], before: Metrics, after: Metrics, most_sequences: int) -> dict[str, Any]:
    events = [events_in(answer.body) for answer in answers if answer.status == 200]
    misses = ("podium_cache_requests_total", 'status="miss"')
    return {
        "computations": int(after.sum(*misses) - before.sum(*misses)),
        "headers": Counter(answer.cache for answer in answers),
        "most_sequences_at_once": most_sequences,
        "different_texts": len({"".join(map(text_of, found)) for found in events}),
        "different_frames": len({repr([_common(event) for event in found]) for found in events}),
        "characters": sum(len(text_of(event)) for event in events[0]) if events else 0,
        "failed": len(answers) - len(events),
    }


def _common(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in VARYING}
