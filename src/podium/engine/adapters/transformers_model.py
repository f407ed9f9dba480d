"""Loads a model with transformers, and says what went wrong in Podium's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError

from podium.config.engine import TransformersEngine
from podium.core.errors import CheckpointInvalid, ConfigurationError, MemoryBudgetExceeded, UnsupportedArchitecture

_DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def choose_device(wanted: str) -> torch.device:
    """``auto`` is CUDA where there is one. Raises ``ConfigurationError`` for a device that is not there."""
    if wanted == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise ConfigurationError("engine.device must be auto, cpu, cuda or cuda:<number>.") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigurationError(f"engine.device names a GPU that is not there; {torch.cuda.device_count()} present.")
    return device


def choose_precision(wanted: str, device: torch.device) -> str:
    """``auto`` is bf16 on a GPU and f32 on a CPU."""
    if wanted != "auto":
        return wanted
    return "f32" if device.type == "cpu" else "bf16"


def load_model(
    model_dir: Path,
    config: TransformersEngine,
    *,
    trust_remote_code: bool,
    auto_class: Any = transformers.AutoModelForCausalLM,
) -> Any:
    """The model, as transformers' ``auto_class`` makes it, in evaluation mode on its device.

    Raises ``UnsupportedArchitecture``, ``CheckpointInvalid`` or ``MemoryBudgetExceeded``.
    """
    device = choose_device(config.device)
    dtype = _DTYPES[choose_precision(config.precision, device)]
    try:
        model = auto_class.from_pretrained(
            model_dir,
            dtype=dtype,
            trust_remote_code=trust_remote_code,
            use_safetensors=True,
            local_files_only=True,
            # Weights go straight to a GPU, never twice through host memory.
            device_map=None if device.type == "cpu" else {"": device},
        )
    except (ValueError, KeyError, ImportError) as error:
        raise UnsupportedArchitecture(
            "transformers cannot run this model's architecture for its task; "
            "check model_type in config.json, or serve it with another engine."
        ) from error
    except (OSError, SafetensorError) as error:
        raise CheckpointInvalid("The weights cannot be read; fetch the checkpoint again.") from error
    except torch.OutOfMemoryError as error:
        raise MemoryBudgetExceeded("The weights do not fit the device; choose a 16-bit precision.") from error
    return model.eval()


def context_length(model_config: Any, limit: int) -> int:
    """The checkpoint's context in tokens, or ``limit`` where that is smaller and not 0."""
    text = model_config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
    found = next((value for name in names if isinstance(value := getattr(text, name, None), int)), 2048)
    return min(found, limit) if limit else found
