"""The ``transformers`` engine: any causal language model that transformers and torch can run.

It is the reference that other engines are compared with: alone and in f32, greedy output equals
``model.generate`` token for token. Every sampling parameter is honoured for each sequence.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.config.engine import TransformersEngine
from podium.core.errors import MissingExtra
from podium.engine.adapters.silence import hide_torchvision, silence_hub
from podium.engine.interface import Engine, EngineFacts, LoadContext

if TYPE_CHECKING:
    import torch

_CPU_PREFILL_TOKENS = 512
"""Prompt tokens in one step: about a fifth of a second for a 124M model on two cores."""

_GPU_PREFILL_TOKENS = 4096


def load(model_dir: Path, config: TransformersEngine, context: LoadContext) -> Engine:
    """Load the checkpoint in ``model_dir`` and check that batched decoding reproduces single decoding.

    Raises ``MissingExtra`` without torch or transformers, and what ``load_model`` raises.
    """
    require_libraries()
    from podium.engine.adapters.transformers_engine import TorchEngine  # noqa: PLC0415  # needs torch
    from podium.engine.adapters.transformers_forward import choose_forward  # noqa: PLC0415
    from podium.engine.adapters.transformers_model import load_model  # noqa: PLC0415

    set_threads(config.threads)
    context.report("loading weights", -1.0)
    model = load_model(model_dir, config, trust_remote_code=context.trust_remote_code)
    context.report("checking batched decoding", -1.0)
    with _torch().inference_mode():
        forward = choose_forward(model)
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    grammars = _grammars(model_dir, vocabulary, context)
    return TorchEngine(
        forward=forward,
        facts=_facts(model, config, context, constrained=grammars is not None),
        vocabulary=vocabulary,
        grammars=grammars,
        prefill_tokens=prefill_tokens(model.device),
    )


def require_libraries() -> None:
    """Import torch and transformers, or raise ``MissingExtra``; neither looks for anything on a network."""
    silence_hub()
    try:
        torch = _torch()
        if not torch.cuda.is_available():
            hide_torchvision()
        __import__("transformers")
    except ImportError as error:
        raise MissingExtra(
            "The transformers engine needs torch and transformers; install them with: pip install 'podium[hf]'"
        ) from error


def _torch() -> Any:
    import torch  # noqa: PLC0415  # heavy and optional

    return torch


def prefill_tokens(device: torch.device) -> int:
    """Prompt tokens of one step at most."""
    return _CPU_PREFILL_TOKENS if device.type == "cpu" else _GPU_PREFILL_TOKENS


def set_threads(threads: int) -> None:
    """Torch's threads; 0 leaves one for each core."""
    if threads:
        _torch().set_num_threads(threads)


def _grammars(model_dir: Path, vocabulary: int, context: LoadContext) -> Any:
    """The grammar compiler, or None where its library or the tokenizer file is missing."""
    from podium.engine.adapters import transformers_constraint  # noqa: PLC0415

    tokenizer_file = model_dir / "tokenizer.json"
    if not transformers_constraint.is_available() or not tokenizer_file.is_file():
        return None
    return transformers_constraint.Grammars(tokenizer_file, vocabulary=vocabulary, eos_token_ids=context.eos_token_ids)


def _facts(model: Any, config: TransformersEngine, context: LoadContext, *, constrained: bool) -> EngineFacts:
    import transformers  # noqa: PLC0415

    from podium.engine.adapters.transformers_model import choose_precision, context_length  # noqa: PLC0415

    max_model_len = context_length(model.config, context.max_model_len)
    device: torch.device = model.device
    return EngineFacts(
        engine="transformers",
        engine_version=transformers.__version__,
        device=str(device),
        precision=choose_precision(config.precision, device),
        max_model_len=max_model_len,
        max_batch_sequences=config.max_batch_sequences,
        kv_cache_tokens=max_model_len * config.max_batch_sequences,
        unsupported={} if constrained else {"constraint": "openvino"},
    )
