"""The ``transformers`` engine for encoder-decoders: T5, BART, Marian and their kin.

In f32, greedy output equals ``model.generate`` with one beam, token for token, whoever shares the batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from podium.config.engine import TransformersEngine
from podium.core.errors import CheckpointInvalid
from podium.engine.adapters.transformers import prefill_tokens, require_libraries, set_threads
from podium.engine.interface import Engine, EngineFacts, EngineSequence, LoadContext
from podium.engine.text2text import Text2TextPlan, encoder_decoder_facts


def load_text2text(model_dir: Path, config: TransformersEngine, context: LoadContext, plan: Text2TextPlan) -> Engine:
    """Load the checkpoint in ``model_dir`` and check that batched decoding reproduces single decoding.

    Raises ``MissingExtra`` without torch or transformers, and what ``load_model`` raises.
    """
    require_libraries()
    import torch  # noqa: PLC0415  # heavy and optional
    import transformers  # noqa: PLC0415

    from podium.engine.adapters.transformers_engine import TorchEngine  # noqa: PLC0415  # needs torch
    from podium.engine.adapters.transformers_model import choose_precision, load_model  # noqa: PLC0415
    from podium.engine.adapters.transformers_text2text_forward import choose_text2text  # noqa: PLC0415

    set_threads(config.threads)
    context.report("loading weights", -1.0)
    model = load_model(
        model_dir, config, trust_remote_code=context.trust_remote_code, auto_class=transformers.AutoModelForSeq2SeqLM
    )
    vocabulary = model.config.get_text_config(decoder=True).vocab_size
    _check_rules(plan, context.eos_token_ids, vocabulary)
    context.report("checking batched decoding", -1.0)
    with torch.inference_mode():
        forward = choose_text2text(model, plan.decoder_start_token_id)
    facts = EngineFacts(
        engine="transformers",
        engine_version=transformers.__version__,
        device=str(model.device),
        precision=choose_precision(config.precision, model.device),
        max_model_len=plan.max_input_tokens,
        max_batch_sequences=config.max_batch_sequences,
        kv_cache_tokens=(plan.max_input_tokens + plan.max_output_tokens) * config.max_batch_sequences,
    )
    return TorchEngine(
        forward=forward,
        facts=encoder_decoder_facts(facts, plan),
        vocabulary=vocabulary,
        grammars=None,
        prefill_tokens=prefill_tokens(model.device),
        begin=_begin(plan, context.eos_token_ids),
    )


def _check_rules(plan: Text2TextPlan, eos_token_ids: frozenset[int], vocabulary: int) -> None:
    """Apply the rules once: what they name and the model does not have is found before the first request."""
    import torch  # noqa: PLC0415

    from podium.engine.adapters.transformers_text2text_rules import AnswerRules  # noqa: PLC0415

    try:
        AnswerRules(plan, eos_token_ids, token_limit=1).apply(torch.zeros(vocabulary), [])
    except (ValueError, IndexError) as error:
        raise CheckpointInvalid(f"The checkpoint's generation settings do not fit its model: {error}") from error
    if plan.decoder_start_token_id >= vocabulary:
        raise CheckpointInvalid(f"The decoder's start is no token: config.json has {vocabulary} of them.")


def _begin(plan: Text2TextPlan, eos_token_ids: frozenset[int]) -> Any:
    """Sequences whose own text so far is the decoder's start, under the checkpoint's rules."""
    from podium.engine.adapters.transformers_sequence import Running  # noqa: PLC0415  # needs torch
    from podium.engine.adapters.transformers_text2text_rules import AnswerRules, has_rules  # noqa: PLC0415

    def begin(sequence: EngineSequence, *, token_limit: int, matcher: Any) -> Running:
        rules = AnswerRules(plan, eos_token_ids, token_limit) if has_rules(plan) else None
        start = (plan.decoder_start_token_id,)
        return Running(sequence, token_limit=token_limit, matcher=matcher, read_ids=start, rules=rules)

    return begin
