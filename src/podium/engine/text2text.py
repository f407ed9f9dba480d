"""What an encoder-decoder needs to know to write, besides its weights."""

from __future__ import annotations

from typing import Any

import msgspec

from podium.engine.interface import EngineFacts

_UNSUPPORTED = {"echo": "", "constraint": ""}


class Text2TextPlan(msgspec.Struct, frozen=True):
    """What a checkpoint's files and the settings say about writing.

    ``prefix`` stands before every prompt that is text. The encoder reads at most ``max_input_tokens``. The decoder
    begins with ``decoder_start_token_id`` and writes at most ``max_output_tokens``, ``default_output_tokens`` where a
    request does not say (0: the server's default). The rest are rules for every answer, as in transformers'
    ``GenerationConfig``: -1, 0 and empty are no rule. ``min_output_tokens`` counts as the others do, without the start.
    """

    decoder_start_token_id: int
    max_input_tokens: int
    max_output_tokens: int
    default_output_tokens: int = 0
    min_output_tokens: int = 0
    prefix: str = ""
    forced_bos_token_id: int = -1
    forced_eos_token_ids: tuple[int, ...] = ()
    no_repeat_ngram_size: int = 0
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The members of ``EngineFacts`` that follow."""
        return {
            "task": "text2text_generation",
            "max_model_len": self.max_input_tokens,
            "max_output_tokens": self.max_output_tokens,
            "default_output_tokens": self.default_output_tokens,
        }


def encoder_decoder_facts(facts: EngineFacts, plan: Text2TextPlan) -> EngineFacts:
    """``facts`` of an engine for a model that has ``plan``.

    Its prompt is not part of its answer: no ``echo``. Grammars do not go together with the rules of checkpoints.
    """
    return msgspec.structs.replace(facts, unsupported={**facts.unsupported, **_UNSUPPORTED}, **plan.facts())
