"""Row ``embeddings``: texts a second of 32 callers with one text each, against the peers, in one run."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import numpy as np
import uvloop

from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import post
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.machine import versions
from benchmarks.tasks.peers import MODEL, PEERS, Running
from benchmarks.tasks.texts import mixed_texts

ROW = "embeddings"
CALLERS, TEXTS, COMPARED = 32, 2048, 64
ROUNDS = 3
WARM_TEXTS = 512


def measure(around: Surroundings) -> None:
    """Each server by itself, in turns; the order moves on with each round."""
    rounds, texts = (1, 384) if around.quick else (ROUNDS, TEXTS)
    given = mixed_texts(texts)
    before, found, vectors = around.quiet(), list[dict[str, Any]](), dict[str, Any]()
    names = list(PEERS)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            try:
                with PEERS[name](around) as running:
                    seconds, vectors[name] = uvloop.run(_run(running, given))
            except RuntimeError as error:
                if name == "podium" or not name.startswith("infinity"):
                    raise
                around.raw.add("left-out", {"row": ROW, "peer": name, "error": str(error)[-600:]})
                continue
            found.append({"round": number, "peer": name, "texts_per_second": round(texts / seconds, 2)})
            around.raw.add("round", found[-1])
    values = _values(found) | {"least_cosine": _least_cosine(vectors)}
    around.record(ROW, values=values, rounds=found, before=before, versions=_versions(around), parameters={
        "callers": CALLERS, "texts": texts, "texts_each_request": 1, "words": "4 to 160, log-uniform", "rounds": rounds,
    })  # fmt: skip


def _values(found: list[dict[str, Any]]) -> dict[str, float]:
    """Medians; the quickest of infinity's engines stands for it."""
    medians = {
        name: statistics.median(one["texts_per_second"] for one in found if one["peer"] == name)
        for name in {one["peer"] for one in found}
    }
    infinity = max(rate for name, rate in medians.items() if name.startswith("infinity"))
    ours = medians["podium"]
    return {
        **{f"{name}_texts_per_second": rate for name, rate in sorted(medians.items())},
        "over_infinity": round(ours / infinity, 3),
        "over_sentence_transformers": round(ours / medians["sentence-transformers"], 3),
    }


def _least_cosine(vectors: dict[str, Any]) -> float:
    """Of our vectors with those of sentence-transformers, which computes in f32."""
    ours, theirs = vectors["podium"], vectors["sentence-transformers"]
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return round(float(((ours * theirs).sum(axis=1) / lengths).min()), 8)


async def _run(running: Running, texts: list[str]) -> tuple[float, Any]:
    """Seconds for all texts after a warm-up, and the first vectors in their order."""
    connections = [await Connection.open(running.port) for _ in range(CALLERS)]
    vectors: dict[int, list[float]] = {}

    async def call(place: int, waiting: list[int]) -> None:
        while waiting:
            number = waiting.pop()
            if connections[place].closed:  # the server may close those that were idle between the rounds
                connections[place] = await Connection.open(running.port)
            body = {"model": MODEL, "input": [texts[number % len(texts)]]}
            answer = await connections[place].ask(post(running.port, running.path, body))
            if answer.status != 200:
                raise RuntimeError(f"status {answer.status}: {answer.body[:200]!r}")
            if number < COMPARED:
                vectors[number] = answer.json()["data"][0]["embedding"]

    async def all_of(numbers: range) -> float:
        waiting, started = list(numbers)[::-1], time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for place in range(CALLERS):
                group.create_task(call(place, waiting), name=f"caller {place}")
        return time.perf_counter() - started

    await all_of(range(min(WARM_TEXTS, len(texts))))
    seconds = await all_of(range(len(texts)))
    for connection in connections:
        connection.close()
    return seconds, np.array([vectors[number] for number in range(min(COMPARED, len(texts)))])


def _versions(around: Surroundings) -> dict[str, Any]:
    peers = {"infinity": ("infinity-emb", "torch", "optimum", "onnxruntime"), "st": ("sentence-transformers", "torch")}
    return {
        name: versions(python, packages) for name, packages in peers.items() if (python := around.peers.get(name, ""))
    }
