"""From Podium's engine settings to openvino-genai's, for one model folder. Why these: docs/benchmarks/tuning.md."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from podium.config.engine import GIB, OpenVINOEngine

MODEL_FILE = "openvino_model.xml"
# Values of an activation that share one int8 scale.
ACTIVATION_GROUP = 128
# Tokens of one KV block on a CPU, and the bytes that its values and their scales take there.
BLOCK_TOKENS = 32
_KV_VALUE_BYTES = {"u8": 1, "f16": 2, "bf16": 2, "f32": 4}
_KV_SCALE_BYTES = 8
_INT8_MATRIX = re.compile(rb'<data element_type="[iu]8" shape="\d+, ?\d+"')


@dataclass(frozen=True)
class PipelineSettings:
    """What the pipeline gets: members of its ``SchedulerConfig``, and the device's properties.

    ``arithmetic`` is int8, bf16, f16, f32 or auto (the device's choice); ``kv_cache_tokens`` 0 is unknown.
    """

    arithmetic: str
    scheduler: dict[str, Any]
    properties: dict[str, Any]
    kv_cache_tokens: int


def settings_for(model_dir: Path, config: OpenVINOEngine) -> PipelineSettings:
    """The settings for an IR folder."""
    arithmetic = _arithmetic(config, int8_weights=_has_int8_weights(model_dir))
    properties = _properties(config, arithmetic)
    blocks = kv_blocks(config.kv_cache_bytes, config_members(model_dir), properties["KV_CACHE_PRECISION"])
    scheduler: dict[str, Any] = {
        "max_num_batched_tokens": config.max_batch_tokens,
        "max_num_seqs": config.max_batch_sequences,
        "dynamic_split_fuse": True,
        "enable_prefix_caching": config.prefix_caching,
    }
    if blocks:
        scheduler["num_kv_blocks"] = blocks
    else:  # the pipeline's own unit is a whole GiB
        scheduler["cache_size"] = max(1, -(-config.kv_cache_bytes // GIB))
    return PipelineSettings(arithmetic, scheduler, properties, blocks * BLOCK_TOKENS)


def config_members(model_dir: Path) -> dict[str, Any]:
    """The members of a folder's config.json; none when it is absent or damaged."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        members = msgspec.json.decode((model_dir / "config.json").read_bytes())
        if isinstance(members, dict):
            return members
    return {}


def kv_blocks(kv_cache_bytes: int, members: Mapping[str, Any], precision: str) -> int:
    """The most KV blocks that fit; 0 when ``members`` of config.json do not tell the model's shape."""
    layers = _first(members, "num_hidden_layers", "n_layer")
    heads = _first(members, "num_attention_heads", "n_head")
    hidden = _first(members, "hidden_size", "n_embd")
    if not (layers and heads and hidden):
        return 0
    head_size = _first(members, "head_dim") or hidden // heads
    values = 2 * BLOCK_TOKENS * head_size * _KV_VALUE_BYTES[precision]
    # Keys are scaled by channel of a block, values by token.
    scales = (BLOCK_TOKENS + head_size) * _KV_SCALE_BYTES if precision == "u8" else 0
    return max(1, kv_cache_bytes // (layers * (_first(members, "num_key_value_heads") or heads) * (values + scales)))


def _arithmetic(config: OpenVINOEngine, *, int8_weights: bool) -> str:
    if config.precision in ("auto", "int8"):
        return "int8" if int8_weights and config.int8_activations else "auto"
    return config.precision


def _properties(config: OpenVINOEngine, arithmetic: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
    if arithmetic in ("int8", "f32"):
        # OpenVINO rounds activations only where the arithmetic around them is f32.
        properties["INFERENCE_PRECISION_HINT"] = "f32"
        properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = str(ACTIVATION_GROUP if arithmetic == "int8" else 0)
    elif arithmetic == "f16":
        properties["INFERENCE_PRECISION_HINT"] = "f16"
    kv_precision = config.kv_cache_precision
    if kv_precision == "auto":
        kv_precision = "f32" if arithmetic == "f32" else "u8"
    properties["KV_CACHE_PRECISION"] = kv_precision
    if config.threads:
        properties["INFERENCE_NUM_THREADS"] = config.threads
    return properties


def _has_int8_weights(model_dir: Path) -> bool:
    return _INT8_MATRIX.search((model_dir / MODEL_FILE).read_bytes()) is not None


def _first(members: Mapping[str, Any], *names: str) -> int:
    return next((members[name] for name in names if isinstance(members.get(name), int)), 0)
