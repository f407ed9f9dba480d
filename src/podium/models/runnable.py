"""From a configured model to something a worker can load: resolve, inspect, verify, choose, convert."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from podium.config.engine import AutoEngine, EchoEngine, Engine, OpenVINOEngine, RemoteEngine, VLLMEngine
from podium.config.models import Model
from podium.core.errors import ConfigurationError, UnsupportedArchitecture
from podium.core.one_shot import WRITING, Task
from podium.engine.adapters.table import ONE_SHOT_KINDS, TEXT2TEXT_KINDS
from podium.engine.one_shot import OneShotLoad, Plan
from podium.engine.text2text import Text2TextPlan
from podium.models.checkpoint import CONFIG, Checkpoint, inspect
from podium.models.conversion import convert
from podium.models.converter import Precision
from podium.models.file_hashes import verify_files
from podium.models.selection import Choice, Machine, choose
from podium.models.sentence_embedding import embedding_plan, one_shot_load
from podium.models.small_json import read_json
from podium.models.source import resolve_source
from podium.models.task_plans import classification_plan, fill_mask_plan, token_plan
from podium.models.text2text_plan import plan_without_files, text2text_plan

# KV cache, activations and code beside the weights: measured on GPT-2 124M with openvino and transformers.
WORKER_OVERHEAD_BYTES = 300 * 1024**2
SOURCELESS_ENGINES = (EchoEngine, RemoteEngine)
NO_FOLDER = Path(os.devnull)
"""Stands where there are no files: never a folder, whatever the working directory holds."""


@dataclass(frozen=True)
class Runnable:
    """A folder and the engine that loads it; ``needed_bytes`` is an estimate of the worker's memory.

    ``one_shot`` is None for a model that writes, ``text2text`` for one that is no encoder-decoder.
    """

    folder: Path
    choice: Choice
    needed_bytes: int
    one_shot: OneShotLoad | None = None
    text2text: Text2TextPlan | None = None

    @property
    def plan(self) -> Plan | Text2TextPlan | None:
        """What decides about answers beside files and engine; None for a model that just generates."""
        return self.text2text if self.one_shot is None else self.one_shot.plan


@dataclass(frozen=True)
class SourcePolicy:
    """Where models may come from, and where conversions are kept."""

    roots: tuple[Path, ...]
    cache_dir: Path


async def make_runnable(model: Model, policy: SourcePolicy, report: Callable[[str, float], None]) -> Runnable:
    """Everything before the worker starts. Raises a ``ModelLoadError``; hashing runs in a thread."""
    if isinstance(model.engine, SOURCELESS_ENGINES):
        return _without_files(model, "generate" if model.task == "auto" else model.task, model.engine)
    report("inspecting", -1)
    checkpoint = await asyncio.to_thread(_inspect, model, policy)
    one_shot = checkpoint.task not in WRITING
    _check_engine(model.engine, checkpoint.task)
    is_ir = checkpoint.format == "openvino"
    choice = choose(model.engine, is_openvino_ir=is_ir, machine=Machine.here(), task=checkpoint.task)
    folder = checkpoint.path
    if isinstance(choice.engine, OpenVINOEngine) and checkpoint.format != "openvino":
        precision = stored_precision(choice.engine, one_shot=one_shot)
        folder = await convert(checkpoint, precision, policy.cache_dir, report)
    return Runnable(
        folder=folder,
        choice=choice,
        needed_bytes=needed_bytes(checkpoint, choice.engine, Machine.here()),
        one_shot=_one_shot(model, checkpoint) if one_shot else None,
        text2text=text2text_plan(model, checkpoint.path) if checkpoint.task == "text2text_generation" else None,
    )


def _without_files(model: Model, task: Task, engine: EchoEngine | RemoteEngine) -> Runnable:
    _check_engine(engine, task)
    return Runnable(
        folder=NO_FOLDER,
        choice=choose(engine, is_openvino_ir=False, machine=Machine.here()),
        needed_bytes=WORKER_OVERHEAD_BYTES,
        one_shot=None if task in WRITING else one_shot_load(model, _plan_without_files(model)),
        text2text=plan_without_files(model, engine.max_model_len) if task == "text2text_generation" else None,
    )


def _one_shot(model: Model, checkpoint: Checkpoint) -> OneShotLoad:
    """The plan's context is the shorter one of what the checkpoint was trained for and what it has positions for."""
    if 0 < checkpoint.max_model_len < model.max_model_len:
        raise ConfigurationError(
            f"models[].max_model_len is {model.max_model_len}, and the checkpoint has positions for "
            f"{checkpoint.max_model_len} tokens; lower it."
        )
    plan = plan_of(model, checkpoint)
    lengths = [length for length in (plan.max_model_len, checkpoint.max_model_len) if length]
    return one_shot_load(model, replace(plan, max_model_len=min(lengths, default=0)))


def plan_of(model: Model, checkpoint: Checkpoint) -> Plan:
    """What the numbers of a checkpoint of a one-shot task mean, by its files and the settings."""
    config = read_json(checkpoint.path, CONFIG, dict[str, Any])
    match checkpoint.task:
        case "classify" | "rerank" | "zero_shot" as task:
            return classification_plan(task, config)
        case "token_classification" | "question_answering" as task:
            return token_plan(task, config)
        case "fill_mask":
            return fill_mask_plan(checkpoint.path, config.get("vocab_size"))
        case _:
            return embedding_plan(model.embedding, checkpoint.path)


def _plan_without_files(model: Model) -> Plan:
    match model.task:
        case "classify" | "rerank" | "zero_shot" as task:
            return classification_plan(task)
        case "token_classification" | "question_answering" as task:
            return token_plan(task)
        case "fill_mask":
            return fill_mask_plan()
        case _:
            return embedding_plan(model.embedding)


def _check_engine(engine: Engine, task: Task) -> None:
    if isinstance(engine, AutoEngine) or task == "generate":
        return
    if task == "text2text_generation":
        if engine.kind not in TEXT2TEXT_KINDS:
            raise UnsupportedArchitecture(
                f"The {engine.kind} engine runs no encoder-decoder; serve this model with transformers."
            )
    elif engine.kind not in ONE_SHOT_KINDS:
        raise UnsupportedArchitecture(
            f"The {engine.kind} engine generates text only; serve a one-shot model with openvino or transformers."
        )


def _inspect(model: Model, policy: SourcePolicy) -> Checkpoint:
    folder = resolve_source(model.source, policy.roots)
    checkpoint = inspect(folder, task=model.task, trust_remote_code=model.trust_remote_code)
    verify_files(folder, model.sha256)
    return checkpoint


def stored_precision(engine: OpenVINOEngine, *, one_shot: bool = False) -> Precision:
    """Precision of a conversion; ``auto`` is int8, by the measured perplexity in docs/demo-model.md.

    For one-shot models it is f32: what int8 does to their vectors has not been measured.
    """
    if engine.precision == "auto":
        return "f32" if one_shot else "int8"
    return engine.precision


def needed_bytes(checkpoint: Checkpoint, engine: Engine, machine: Machine) -> int:
    """About as much memory as a worker takes: only one that generates has a KV cache, and vLLM's is a GPU's own.

    Weights on a GPU count nothing here: they may be larger than the machine's memory, and are spread over several.
    """
    if isinstance(engine, VLLMEngine) and machine.has_gpu:
        return WORKER_OVERHEAD_BYTES
    kv_cache_bytes: int = getattr(engine, "kv_cache_bytes", 0) if checkpoint.task == "generate" else 0
    return checkpoint.weight_bytes + kv_cache_bytes + WORKER_OVERHEAD_BYTES
