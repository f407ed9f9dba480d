"""Row ``mixed``: five models of different tasks in one server, all asked at once, while ``/livez`` is watched."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import uvloop

from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import get, post
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.tasks.peers import model_folder, podium
from benchmarks.tasks.probing import PROBES_A_SECOND, probe
from benchmarks.tasks.texts import mixed_texts

ROW = "mixed"
SECONDS = 60.0
CALLERS_EACH = 4
PIECE = 300  # characters: the small models with random weights have a context of 256 tokens
BUDGET_BYTES = 2 * 1024**3
KV_CACHE_BYTES = 128 * 1024**2
HEADS = ("names", "nli", "reader")
CONTEXT = " ".join(mixed_texts(6, seed=3))
PATHS = {
    "minilm": ("/v1/embeddings", lambda text: {"input": text}),
    "names": ("/v1/token-classification", lambda text: {"input": text[:PIECE]}),
    "nli": (
        "/v1/zero-shot-classification",
        lambda text: {"input": text[:PIECE], "candidate_labels": ["sea", "money", "news"]},
    ),
    "reader": ("/v1/question-answering", lambda text: {"question": text[:60], "context": CONTEXT}),
    "demo": ("/v1/completions", lambda text: {"prompt": text[:60], "max_tokens": 24}),
}


def measure(around: Surroundings) -> None:
    """Load them, ask them, and see what memory they take."""
    sys.path.insert(0, str(around.repository / "tests"))
    import models_factory  # noqa: PLC0415 - of the tests, and it needs torch

    made = {name: around.work.parent / "heads" / name for name in HEADS}  # kept, and so are their conversions
    for name, folder in made.items():
        if not folder.is_dir():
            models_factory.make_head(folder, name)
    sources = {"minilm": str(model_folder()), "demo": "builtin:demo", **{name: str(made[name]) for name in HEADS}}
    models: list[dict[str, Any]] = [{"name": name, "source": source} for name, source in sources.items()]
    models[list(sources).index("demo")]["engine"] = {"kind": "openvino", "kv_cache_bytes": KV_CACHE_BYTES}
    before = around.quiet()
    with podium(around, models, memory_budget_bytes=BUDGET_BYTES) as running:
        found = uvloop.run(_run(running.port, running.admin_port, 8.0 if around.quick else SECONDS))
    latencies = found.pop("latencies")
    values = {**found["values"], **{f"livez_{name}": value for name, value in milliseconds(latencies).items()}}
    around.record(
        ROW,
        values=values,
        answered=found["answered"],
        memory_bytes=found["memory_bytes"],
        histogram_microseconds=histogram(latencies),
        before=before,
        parameters={"models": list(sources), "callers_each": CALLERS_EACH, "probes_per_second": PROBES_A_SECOND},
    )


async def _run(port: int, admin_port: int, seconds: float) -> dict[str, Any]:
    end = time.perf_counter() + seconds
    answered = dict.fromkeys(PATHS, 0)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        probes = asyncio.get_running_loop().run_in_executor(pool, probe, admin_port, seconds)
        async with asyncio.TaskGroup() as group:
            for name in PATHS:
                for caller in range(CALLERS_EACH):
                    group.create_task(_call(port, name, caller, end, answered), name=f"{name} {caller}")
        latencies = await probes
    status = json.loads((await (await Connection.open(port)).ask(get(port, "/models"))).body)
    memory = {name: one.get("memory_bytes") or 0 for name, one in status["models"].items()}
    values = {"memory_bytes": sum(memory.values()), "budget_bytes": BUDGET_BYTES}
    return {"values": values, "answered": answered, "memory_bytes": memory, "latencies": latencies}


async def _call(port: int, name: str, caller: int, end: float, answered: dict[str, int]) -> None:
    path, body = PATHS[name]
    connection, texts = await Connection.open(port), mixed_texts(64, seed=caller)
    while time.perf_counter() < end:
        answer = await connection.ask(post(port, path, {"model": name, **body(texts[answered[name] % 64])}))
        if answer.status != 200:
            raise RuntimeError(f"{name}: {answer.status} {answer.body[:300]!r}")
        answered[name] += 1
