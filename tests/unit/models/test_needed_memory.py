"""How much memory a model is thought to need before it is loaded."""

from __future__ import annotations

from pathlib import Path

from podium.config.engine import OpenVINOEngine, VLLMEngine
from podium.models.checkpoint import inspect
from podium.models.runnable import WORKER_OVERHEAD_BYTES, needed_bytes
from podium.models.selection import Machine
from support.checkpoint_folders import CONFIG, ENCODER, write_checkpoint

CACHE = 1024**3
CPU = Machine(has_gpu=False, installed=frozenset())


def test_only_a_model_that_generates_needs_a_kv_cache(tmp_path: Path) -> None:
    engine = OpenVINOEngine(kv_cache_bytes=CACHE)
    writer, encoder = (
        inspect(write_checkpoint(tmp_path / str(number), config)) for number, config in enumerate((CONFIG, ENCODER))
    )
    assert needed_bytes(writer, engine, CPU) == writer.weight_bytes + CACHE + WORKER_OVERHEAD_BYTES
    assert needed_bytes(encoder, engine, CPU) == encoder.weight_bytes + WORKER_OVERHEAD_BYTES


def test_weights_on_gpus_take_no_memory_of_the_machine(tmp_path: Path) -> None:
    """They may be larger than it, and a copy over several machines is on none of them as a whole."""
    writer = inspect(write_checkpoint(tmp_path / "writer"), trust_remote_code=False)
    gpu = Machine(has_gpu=True, installed=frozenset({"vllm"}))
    assert needed_bytes(writer, VLLMEngine(), gpu) == WORKER_OVERHEAD_BYTES
    assert needed_bytes(writer, VLLMEngine(), CPU) > WORKER_OVERHEAD_BYTES + writer.weight_bytes
