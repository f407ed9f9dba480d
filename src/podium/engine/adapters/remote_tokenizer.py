"""In place of a tokenizer, for models whose tokens live at another server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from podium.core.errors import UnsupportedParameter
from podium.engine.messages import TokenizerFacts
from podium.engine.tokenizer import Tokenizer


class RemoteTokenizer(Tokenizer):
    """Refuses to tokenize: this model's tokenizer is at the remote server."""

    def __init__(self) -> None:  # there is no checkpoint to read
        self.special_tokens = {}
        self.chat_template = None
        self.vocab_size = 0

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Refused."""
        del text, add_special_tokens
        _refuse()

    def decode(self, token_ids: Sequence[int]) -> str:
        """Refused."""
        del token_ids
        _refuse()

    def check_ids(self, token_ids: Sequence[int], *, param: str = "prompt") -> None:
        """Any id may be right; the remote server will say."""

    def facts(self) -> TokenizerFacts:
        """Nothing is known."""
        return TokenizerFacts()

    def id_of(self, token: str) -> int | None:
        """Unknown."""
        del token
        return None


def _refuse() -> NoReturn:
    raise UnsupportedParameter("This model is served by a remote server, which keeps its tokenizer to itself.")
