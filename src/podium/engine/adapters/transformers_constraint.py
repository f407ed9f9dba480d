"""Constrained output for the transformers adapter, through llguidance where it is installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from podium.core.errors import InvalidRequest
from podium.core.generation import Constraint

_WHITESPACE = " ?"
"""Between JSON tokens: at most one blank. With free whitespace a weak model indents until its tokens run out."""


class Matcher:
    """The state of one constraint: which tokens may come next."""

    def __init__(self, matcher: object) -> None:
        self._matcher = matcher

    def allowed(self, vocabulary: int) -> torch.Tensor:
        """Tokens that keep the output in the grammar: bool, shape (vocabulary,)."""
        packed = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)  # type: ignore[attr-defined]
        bits = np.unpackbits(packed, bitorder="little")[:vocabulary]
        padded = np.zeros(vocabulary, dtype=bool)
        padded[: len(bits)] = bits
        return torch.from_numpy(padded)

    def consume(self, token_id: int) -> None:
        """Advance by a token that ``allowed`` permitted."""
        self._matcher.consume_token(token_id)  # type: ignore[attr-defined]

    @property
    def is_finished(self) -> bool:
        """Whether nothing but the end can follow."""
        return bool(self._matcher.is_stopped())  # type: ignore[attr-defined]


class Grammars:
    """Compiles constraints for one tokenizer."""

    def __init__(self, tokenizer_file: Path, *, vocabulary: int, eos_token_ids: Iterable[int]) -> None:
        import llguidance  # noqa: PLC0415  # optional

        self._library = llguidance
        ends = sorted(eos_token_ids) or None
        self._tokenizer = llguidance.LLTokenizer(tokenizer_file.read_text("utf-8"), n_vocab=vocabulary, eos_token=ends)

    def matcher(self, constraint: Constraint) -> Matcher:
        """A fresh matcher. Raises ``InvalidRequest`` for a schema or regex that does not compile."""
        try:
            grammar = self._grammar(constraint)
        except ValueError as error:
            raise _not_compiled(constraint) from error
        matcher = self._library.LLMatcher(self._tokenizer, grammar, log_level=0)
        if matcher.is_error():
            raise _not_compiled(constraint)
        return Matcher(matcher)

    def _grammar(self, constraint: Constraint) -> str:
        kind = self._library.LLMatcher
        if constraint.kind == "regex":
            return str(kind.grammar_from_regex(constraint.source))
        options = {"whitespace_pattern": _WHITESPACE}
        return str(kind.grammar_from_json_schema(json.loads(constraint.source), defaults=options))


def is_available() -> bool:
    """Whether the grammar library is installed."""
    return importlib.util.find_spec("llguidance") is not None


def _not_compiled(constraint: Constraint) -> InvalidRequest:
    if constraint.kind == "regex":
        return InvalidRequest(
            "The regex does not compile to a grammar; use one without look-around and back-references.", param="regex"
        )
    return InvalidRequest(
        "The JSON schema does not compile to a grammar; remove keywords that cannot be enforced while generating.",
        param="json_schema",
    )
