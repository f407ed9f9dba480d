"""What a checkpoint's files say about how its encoder-decoder writes, and what the settings say instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
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
_Count = Annotated[int, msgspec.Meta(ge=0)]
_Ids = tuple[_Count, ...]
_Word = Annotated[_Ids, msgspec.Meta(min_length=1)]


class _Rules(msgspec.Struct, frozen=True):
    """The members that are read; what comes from a stranger's file is of these types or refused."""

    decoder_start_token_id: _Count | None = None
    bos_token_id: _Count | None = None
    max_length: _Count | None = None
    max_new_tokens: _Count | None = None
    min_length: _Count | None = None
    min_new_tokens: _Count | None = None
    no_repeat_ngram_size: _Count | None = None
    forced_bos_token_id: _Count | None = None
    forced_eos_token_id: _Count | _Ids | None = None
    bad_words_ids: tuple[_Word, ...] | None = None
    suppress_tokens: _Ids | None = None
    begin_suppress_tokens: _Ids | None = None
    prefix: str | None = None


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
    own = read_json(folder, GENERATION_CONFIG, dict[str, Any]) if (folder / GENERATION_CONFIG).is_file() else config
    preset = _preset(config, model.text2text.preset)
    _tell_what_is_not_done(model, {**own, **preset})
    rules = _converted({**own, "prefix": None, **preset})
    tokens = _context(config, model.max_model_len)
    forced_eos = rules.forced_eos_token_id
    return Text2TextPlan(
        decoder_start_token_id=_decoder_start(rules, _converted(config)),
        max_input_tokens=tokens,
        max_output_tokens=tokens,
        default_output_tokens=min(rules.max_new_tokens or max((rules.max_length or 0) - 1, 0), tokens),
        min_output_tokens=max((rules.min_length or 0) - 1, rules.min_new_tokens or 0, 0),
        prefix=(rules.prefix or "") if model.text2text.prefix is None else model.text2text.prefix,
        forced_bos_token_id=_forced_bos(rules, folder, model.text2text.forced_bos_token),
        forced_eos_token_ids=(forced_eos,) if isinstance(forced_eos, int) else forced_eos or (),
        no_repeat_ngram_size=rules.no_repeat_ngram_size or 0,
        bad_words_ids=rules.bad_words_ids or (),
        suppress_tokens=rules.suppress_tokens or (),
        begin_suppress_tokens=rules.begin_suppress_tokens or (),
    )


def _converted(members: Mapping[str, Any]) -> _Rules:
    try:
        return msgspec.convert(members, _Rules)
    except msgspec.ValidationError as error:
        raise CheckpointInvalid(f"The checkpoint's generation settings cannot be read: {error}.") from error


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
    asked = [name for name, off in _NOT_DONE.items() if rules.get(name) not in (off, None)]
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


def _decoder_start(*members: _Rules) -> int:
    told = [one.decoder_start_token_id for one in members] + [one.bos_token_id for one in members]
    found = next((token_id for token_id in told if token_id is not None), None)
    if found is None:
        raise CheckpointInvalid(f"{CONFIG} does not tell decoder_start_token_id; fetch the file again.")
    return found


def _forced_bos(rules: _Rules, folder: Path, wanted: str | None) -> int:
    if wanted is None:
        return -1 if rules.forced_bos_token_id is None else rules.forced_bos_token_id
    found = Tokenizer.from_folder(folder).id_of(wanted)
    if found is None:
        raise ConfigurationError(
            f"models[].text2text.forced_bos_token is {wanted!r}, which the checkpoint's tokenizer does not have."
        )
    return found
