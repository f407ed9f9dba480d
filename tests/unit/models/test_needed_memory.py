"""How much memory a model is thought to need before it is loaded."""

from __future__ import annotations

from pathlib import Path

from podium.config.engine import OpenVINOEngine
from podium.models.checkpoint import inspect
from podium.models.runnable import WORKER_OVERHEAD_BYTES, needed_bytes
from support.checkpoint_folders import CONFIG, ENCODER, write_checkpoint

CACHE = 1024**3


def test_only_a_model_that_generates_needs_a_kv_cache(tmp_path: Path) -> None:
    engine = OpenVINOEngine(kv_cache_bytes=CACHE)
    writer, encoder = (
        inspect(write_checkpoint(tmp_path / str(number), config)) for number, config in enumerate((CONFIG, ENCODER))
    )
    assert needed_bytes(writer, engine) == writer.weight_bytes + CACHE + WORKER_OVERHEAD_BYTES
    assert needed_bytes(encoder, engine) == encoder.weight_bytes + WORKER_OVERHEAD_BYTES
