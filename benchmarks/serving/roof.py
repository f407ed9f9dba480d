"""How far a measured run is from what the machine allows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.serving.workloads import OUTPUT_TOKENS, PROMPT_TOKENS

WEIGHT_BYTES = {"int8": 1, "bf16": 2, "f32": 4}
KV_BYTES = {"int8": 1.19, "bf16": 1.19, "f32": 4}  # 8-bit with its scales


@dataclass(frozen=True)
class Shape:
    """What one token costs: multiplied parameters in the layers and in the output head, KV values."""

    layer_parameters: float
    head_parameters: float
    kv_values: int


SHAPES = {
    "gpt2": Shape(84.9e6, 38.6e6, 12 * 2 * 768),
    "qwen2": Shape(357.9e6, 136.1e6, 24 * 2 * 128),
}


def roof_tokens_per_second(model: str, precision: str, streams: int, machine: Mapping[str, float]) -> float:
    """Output tokens a second of ``streams`` equal requests if nothing but the machine's two rates limited them.

    Prefill runs at the GEMM rate of bf16 (weights in int8 are expanded); a decode step takes the longer
    of reading weights and KV cache once and multiplying at that rate.
    """
    shape = SHAPES[model]
    operations = machine["f32_operations_per_second" if precision == "f32" else "bf16_operations_per_second"]
    prefill = 2 * shape.layer_parameters * PROMPT_TOKENS * streams / operations
    everything = shape.layer_parameters + shape.head_parameters
    context = PROMPT_TOKENS + OUTPUT_TOKENS / 2
    read = everything * WEIGHT_BYTES[precision] + streams * context * shape.kv_values * KV_BYTES[precision]
    step = max(read / machine["read_bytes_per_second"], 2 * everything * streams / operations)
    return streams * OUTPUT_TOKENS / (prefill + OUTPUT_TOKENS * step)
