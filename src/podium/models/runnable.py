"""From a configured model to something a worker can load: resolve, inspect, verify, choose, convert."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from podium.config.engine import EchoEngine, Engine, OpenVINOEngine, RemoteEngine
from podium.config.models import Model
from podium.models.checkpoint import Checkpoint, inspect
from podium.models.conversion import convert
from podium.models.converter import Precision
from podium.models.file_hashes import verify_files
from podium.models.selection import Choice, Machine, choose
from podium.models.source import resolve_source

# KV cache, activations and code beside the weights: measured on GPT-2 124M with openvino and transformers.
WORKER_OVERHEAD_BYTES = 300 * 1024**2
SOURCELESS_ENGINES = (EchoEngine, RemoteEngine)
NO_FOLDER = Path(os.devnull)
"""Stands where there are no files: never a folder, whatever the working directory holds."""


@dataclass(frozen=True)
class Runnable:
    """A folder and the engine that loads it; ``needed_bytes`` is an estimate of the worker's memory."""

    folder: Path
    choice: Choice
    needed_bytes: int


@dataclass(frozen=True)
class SourcePolicy:
    """Where models may come from, and where conversions are kept."""

    roots: tuple[Path, ...]
    cache_dir: Path


async def make_runnable(model: Model, policy: SourcePolicy, report: Callable[[str, float], None]) -> Runnable:
    """Everything before the worker starts. Raises a ``ModelLoadError``; hashing runs in a thread."""
    if isinstance(model.engine, SOURCELESS_ENGINES):
        choice = choose(model.engine, is_openvino_ir=False, machine=Machine.here())
        return Runnable(folder=NO_FOLDER, choice=choice, needed_bytes=WORKER_OVERHEAD_BYTES)
    report("inspecting", -1)
    checkpoint = await asyncio.to_thread(_inspect, model, policy)
    choice = choose(model.engine, is_openvino_ir=checkpoint.format == "openvino", machine=Machine.here())
    folder = checkpoint.path
    if isinstance(choice.engine, OpenVINOEngine) and checkpoint.format != "openvino":
        folder = await convert(checkpoint, stored_precision(choice.engine), policy.cache_dir, report)
    return Runnable(folder=folder, choice=choice, needed_bytes=_needed_bytes(checkpoint, choice.engine))


def _inspect(model: Model, policy: SourcePolicy) -> Checkpoint:
    folder = resolve_source(model.source, policy.roots)
    checkpoint = inspect(folder, trust_remote_code=model.trust_remote_code)
    verify_files(folder, model.sha256)
    return checkpoint


def stored_precision(engine: OpenVINOEngine) -> Precision:
    """Precision of a conversion; ``auto`` is int8, by the measured perplexity in docs/demo-model.md."""
    return "int8" if engine.precision == "auto" else engine.precision


def _needed_bytes(checkpoint: Checkpoint, engine: Engine) -> int:
    kv_cache_bytes: int = getattr(engine, "kv_cache_bytes", 0)
    return checkpoint.weight_bytes + kv_cache_bytes + WORKER_OVERHEAD_BYTES
