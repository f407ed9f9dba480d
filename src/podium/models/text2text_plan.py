"""What a checkpoint's files say about how its encoder-decoder writes, and what the settings say instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import structlog

from podium.config.models import Model
from podium.core.errors import CheckpointInvalid, ConfigurationError
from podium.engine.text2text import Text2TextPlan
from podium.engine.tokenizer import Tokenizer
from podium.models.small_json import read_json

log = structlog.get_logger(__name__)

CONFIG = "config.json"
GENERATION_CONFIG = "generation_config.json"
RELATIVE_TOKENS = 512
"""Context of a checkpoint whose positions are relative, and so without a bound of their own, that tells none."""

# Members of a generation configuration that would change an answer, and the value that leaves it as it is.
_NOT_DONE = {
    "num_beams": 1,
    "repetition_penalty": 1.0,
    "encoder_repetition_penalty": 1.0,
    "encoder_no_repeat_ngram_size": 0,
    "exponential_decay_length_penalty": None,
    "sequence_bias": None,
    "penalty_alpha": None,
    "guidance_scale": None,
    "renormalize_logits": False,
}


def plan_without_files(model: Model, max_tokens: int) -> Text2TextPlan:
    """Where there is no checkpoint (``echo``): the settings alone; both contexts have ``max_tokens``."""
    return Text2TextPlan(0, max_tokens, max_tokens, prefix=model.text2text.prefix or "")


def text2text_plan(model: Model, folder: Path) -> Text2TextPlan:
    """The plan for the checkpoint in ``folder``; ``model``'s settings win over what it says.

    Rules come from generation_config.json, or where there is none from config.json, as transformers does it. What is
    not done here (beams) is a warning in the log. Raises ``ConfigurationError`` for a preset or a token that the
    checkpoint does not have and for a context that it has no positions for, ``CheckpointInvalid`` for damaged files.
    """
    config = read_json(folder, CONFIG, dict[str, Any])
    has_rules = (folder / GENERATION_CONFIG).is_file()
    preset = _preset(config, model.text2text.preset)
    rules = {**(read_json(folder, GENERATION_CONFIG, dict[str, Any]) if has_rules else config), **preset}
    _tell_what_is_not_done(model, rules)
    tokens = _context(config, model.max_model_len)
    longest = _longest(rules)
    return Text2TextPlan(
        decoder_start_token_id=_decoder_start(rules, config),
        max_input_tokens=tokens,
        max_output_tokens=tokens,
        default_output_tokens=min(longest, tokens),
        min_output_tokens=max(_count(rules, "min_length") - 1, _count(rules, "min_new_tokens"), 0),
        prefix=str(preset.get("prefix", "")) if model.text2text.prefix is None else model.text2text.prefix,
        forced_bos_token_id=_forced_bos(rules, folder, model.text2text.forced_bos_token),
        forced_eos_token_ids=_ids(rules.get("forced_eos_token_id")),
        no_repeat_ngram_size=_count(rules, "no_repeat_ngram_size"),
        bad_words_ids=tuple(tuple(map(int, word)) for word in rules.get("bad_words_ids") or ()),
        suppress_tokens=_ids(rules.get("suppress_tokens")),
        begin_suppress_tokens=_ids(rules.get("begin_suppress_tokens")),
    )


def _preset(config: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    if name is None:
        return {}
    presets = config.get("task_specific_params")
    known = presets if isinstance(presets, dict) else {}
    if not isinstance(known.get(name), dict):
        has = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise ConfigurationError(
            f"models[].text2text.preset is {name!r}, which task_specific_params of the checkpoint lacks: {has}."
        )
    found: Mapping[str, Any] = known[name]
    return found


def _tell_what_is_not_done(model: Model, rules: Mapping[str, Any]) -> None:
    asked = [name for name, off in _NOT_DONE.items() if rules.get(name, off) not in (off, None)]
    if asked:
        log.warning(
            "the checkpoint's generation settings ask for what is not done here: one answer is decoded token by token",
            model=model.name,
            ignored=asked,
        )


def _context(config: Mapping[str, Any], wanted: int) -> int:
    """Tokens that are read, and that are written, at most."""
    positions = config.get("max_position_embeddings")
    if isinstance(positions, int):
        if wanted > positions:
            raise ConfigurationError(
                f"models[].max_model_len is {wanted}, and the checkpoint has positions for {positions}; lower it."
            )
        return wanted or positions
    told = config.get("n_positions")
    return wanted or (told if isinstance(told, int) and told > 0 else RELATIVE_TOKENS)


def _decoder_start(*members: Mapping[str, Any]) -> int:
    for name in ("decoder_start_token_id", "bos_token_id"):
        for one in members:
            if isinstance(one.get(name), int):
                return int(one[name])
    raise CheckpointInvalid(f"{CONFIG} does not tell decoder_start_token_id; fetch the file again.")


def _longest(rules: Mapping[str, Any]) -> int:
    """Tokens of an answer by the checkpoint's own word; its ``max_length`` counts the decoder's start."""
    return _count(rules, "max_new_tokens") or max(_count(rules, "max_length") - 1, 0)


def _forced_bos(rules: Mapping[str, Any], folder: Path, wanted: str | None) -> int:
    if wanted is not None:
        found = Tokenizer.from_folder(folder).id_of(wanted)
        if found is None:
            raise ConfigurationError(
                f"models[].text2text.forced_bos_token is {wanted!r}, which the checkpoint's tokenizer does not have."
            )
        return found
    told = rules.get("forced_bos_token_id")
    return told if isinstance(told, int) else -1


def _count(rules: Mapping[str, Any], name: str) -> int:
    value = rules.get(name)
    return value if isinstance(value, int) else 0


def _ids(value: int | Iterable[int] | None) -> tuple[int, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, int) else tuple(value)
