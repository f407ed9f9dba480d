"""Token ids to text, piece by piece, without ever giving out half a character."""

from __future__ import annotations

from collections.abc import Sequence

from podium.engine.tokenizer import Tokenizer

REPLACEMENT = "\ufffd"
# A character is at most 4 bytes, so 4 byte tokens; a longer unfinished tail is invalid text, not a wait.
LONGEST_TAIL_TOKENS = 64
# Decoders look at neighbours (leading spaces, byte runs): a few tokens of context make the join right.
CONTEXT_TOKENS = 6


class IncrementalDetokenizer:
    """Turns a growing list of token ids into pieces that concatenate to the text of the whole.

    ``prompt_ids`` gives the context that decides, for example, whether the first new token begins with
    a space. An unfinished character is held until its last byte arrives; ``flush`` gives out what the
    end left unfinished, as U+FFFD.
    """

    def __init__(self, tokenizer: Tokenizer, prompt_ids: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._window = list(prompt_ids[-CONTEXT_TOKENS:])
        self._settled = len(self._window)  # tokens of the window whose text has been given out
        self._given = len(_stable(tokenizer.decode(self._window))) if self._window else 0

    def push(self, token_ids: Sequence[int]) -> str:
        """The text that ``token_ids`` complete; often one token's, sometimes none."""
        self._window += token_ids
        text = self._tokenizer.decode(self._window)
        stable = _stable(text)
        if len(stable) < len(text) and len(self._window) - self._settled > LONGEST_TAIL_TOKENS:
            stable = text
        piece = stable[self._given :]
        self._given = max(self._given, len(stable))
        if len(stable) == len(text):
            self._slide()
        return piece

    def flush(self) -> str:
        """What is still held, at the end of the sequence."""
        text = self._tokenizer.decode(self._window)
        piece = text[self._given :]
        self._given = len(text)
        return piece

    def _slide(self) -> None:
        """Forget tokens that no longer influence what comes; keep the newest as context."""
        if len(self._window) > 2 * CONTEXT_TOKENS:
            self._window = self._window[-CONTEXT_TOKENS:]
            self._given = len(self._tokenizer.decode(self._window))
        self._settled = len(self._window)


def _stable(text: str) -> str:
    return text.rstrip(REPLACEMENT) if text.endswith(REPLACEMENT) else text
