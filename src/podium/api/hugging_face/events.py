"""The stream of text-generation-inference: an event for each token, the last of which has the whole text."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podium.api.errors import body_of
from podium.api.hugging_face.translate import Ending, ending, tokens_of
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, Usage
from podium.protocols.text_generation_inference import HfStreamDetails, HfStreamed, HfToken

_encode = msgspec.json.Encoder().encode


class TokenEvents:
    """Events of one text; ``prefix`` goes before it where it is told as a whole."""

    def __init__(self, prefix: str, seed: int | None) -> None:
        self._texts = [prefix]
        self._seed = seed
        self._index = 0
        self._last: tuple[HfToken, list[HfToken]] | None = None
        self._ending: Ending = "length"

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """The events of a piece's tokens, without the text's last one: that waits for the counts."""
        self._texts.append(chunk.text)
        found = tokens_of(chunk)
        if chunk.finish_reason is not None:
            self._ending = ending(chunk.finish_reason, chunk.stop_reason)
            self._last = found.pop()
        return b"".join(self._event(token, top) for token, top in found)

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The event of the last token, with the whole text."""
        if self._last is None:
            raise AssertionError("this is a bug: a text that ended has a last token")
        details = HfStreamDetails(self._ending, usage.completion_tokens, self._seed, usage.prompt_tokens)
        yield self._event(*self._last, text="".join(self._texts), details=details)

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """An event with the error."""
        yield b"data:" + body_of(error, "hugging_face", "") + b"\n\n"

    def _event(
        self, token: HfToken, top: list[HfToken], *, text: str | None = None, details: HfStreamDetails | None = None
    ) -> bytes:
        self._index += 1
        return b"data:" + _encode(HfStreamed(self._index, token, top, text, details)) + b"\n\n"
