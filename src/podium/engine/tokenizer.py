"""Tokenizing without torch or transformers: the checkpoint's own ``tokenizer.json``."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import tokenizers

from podium.core.errors import CheckpointInvalid, ContextLengthExceeded, InvalidRequest
from podium.core.one_shot import ELSEWHERE, MOST_WINDOW_TOKENS, MOST_WINDOWS, SPECIAL, InputIds, Spans, WindowedPrompt
from podium.engine.messages import TokenizerFacts
from podium.engine.tool_calls.format import SHOWN_TOKENS

SPECIAL_TOKEN_MEMBERS = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
SEGMENTS = "token_type_ids"


class Encoded:
    """An input as tokens. ``spans`` is worked out when it is asked for."""

    __slots__ = ("_find_spans", "ids")

    def __init__(self, ids: InputIds, find_spans: Callable[[], Spans]) -> None:
        self.ids = ids
        self._find_spans = find_spans

    @classmethod
    def of_ids(cls, token_ids: tuple[int, ...]) -> Encoded:
        """Tokens of no text."""
        nowhere = (ELSEWHERE,) * len(token_ids)
        return cls(InputIds(token_ids), lambda: Spans(nowhere, nowhere, nowhere, (False,) * len(token_ids)))

    @property
    def spans(self) -> Spans:
        """Where the tokens stand in the text."""
        return self._find_spans()


class Tokenizer:
    """Text to token ids and back, for one checkpoint. Thread-safe: encoding releases the GIL."""

    def __init__(self, inner: tokenizers.Tokenizer, config: dict[str, Any], chat_template: str | None) -> None:
        self._inner = inner
        self.special_tokens = {
            name: _token_text(config.get(name)) for name in SPECIAL_TOKEN_MEMBERS if config.get(name)
        }
        self.chat_template = chat_template
        self._shown, self._hidden = _special_ids(inner)
        self._tells_segments = SEGMENTS in config.get("model_input_names", [SEGMENTS])
        self._marks_subwords = bool(getattr(inner.model, "continuing_subword_prefix", None))
        self._unknown_id = self.id_of(self.special_tokens["unk_token"]) if "unk_token" in self.special_tokens else None
        self.vocab_size: int = inner.get_vocab_size(with_added_tokens=True)
        self.token_text = lru_cache(maxsize=65536)(self._token_text_uncached)

    @classmethod
    def from_folder(cls, folder: Path, *, chat_template: str | None = None) -> Tokenizer:
        """The tokenizer of a checkpoint folder; ``chat_template`` replaces the checkpoint's own.

        Raises ``CheckpointInvalid`` when ``tokenizer.json`` is missing or damaged.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CheckpointInvalid(
                "The checkpoint has no tokenizer.json. Save a fast tokenizer beside the weights: "
                "AutoTokenizer.from_pretrained(…).save_pretrained(folder)."
            )
        try:
            inner = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises plain Exception for every parse error
            raise CheckpointInvalid("tokenizer.json cannot be read: it is damaged or too new.") from error
        inner.no_padding()
        inner.no_truncation()
        config = _read_json(folder / "tokenizer_config.json")
        return cls(inner, config, chat_template or _find_template(folder, config))

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Token ids of ``text``."""
        ids: list[int] = self._inner.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def encode_texts(self, texts: Sequence[str]) -> list[Encoded]:
        """Each text with the special tokens around it, all in one call."""
        return [
            Encoded(InputIds(tuple(one.ids)), partial(self._spans, one, text, 0))
            for text, one in zip(texts, self._inner.encode_batch(list(texts)), strict=True)
        ]

    def encode_pair(self, first: str, second: str) -> Encoded:
        """Two texts that are read together, with the special tokens that stand around and between them.

        Where the second one begins is told if the tokenizer makes a difference and its configuration does not say
        that the model is not told.
        """
        return self._pair(self._inner.encode(first, second), second)

    def encode_windows(self, given: WindowedPrompt, context_tokens: int) -> list[Encoded]:
        """The question with each window of the text.

        Raises ``ContextLengthExceeded`` when the question leaves no room for more than the stride, and
        ``InvalidRequest`` for a text without tokens, or of too many windows.
        """
        question = self._inner.encode(given.question, add_special_tokens=False)
        text = self._inner.encode(given.text, add_special_tokens=False)
        if not text.ids:
            raise InvalidRequest("`context` has no tokens; give at least one.", param="context")
        window = min(given.window_tokens or context_tokens, context_tokens)
        around = len(question.ids) + self._inner.num_special_tokens_to_add(is_pair=True)
        room = window - around
        if room <= min(given.stride_tokens, len(text.ids) - 1):
            raise ContextLengthExceeded(
                f"The question and the tokens around it are {around} tokens of a window of {window}: that leaves "
                f"{max(room, 0)} for the text, of which {given.stride_tokens} (doc_stride) overlap. Shorten the "
                "question, or lower doc_stride.",
                param="question",
            )
        stride = min(given.stride_tokens, room - 1)
        windows = -(-(len(text.ids) - stride) // (room - stride))
        most = min(MOST_WINDOWS, MOST_WINDOW_TOKENS // window)
        if windows > most:
            raise InvalidRequest(
                f"`context` has {len(text.ids)} tokens: {windows} windows of {room}, of which {stride} overlap "
                f"(doc_stride). At most {most} are read. Lower doc_stride, or split the text.",
                param="context",
            )
        text.truncate(room, stride=stride)
        return [self._pair(self._inner.post_process(question, part), given.text) for part in (text, *text.overflowing)]

    def _pair(self, encoded: tokenizers.Encoding, second: str) -> Encoded:
        segments: list[int] = encoded.type_ids if self._tells_segments else []
        ids = InputIds(tuple(encoded.ids), segments.index(1) if 1 in segments else 0)
        return Encoded(ids, partial(self._spans, encoded, second, 1))

    def _spans(self, encoded: tokenizers.Encoding, text: str, sequence: int) -> Spans:
        nowhere = {None: (SPECIAL, SPECIAL), 1 - sequence: (ELSEWHERE, ELSEWHERE)}
        places = [
            nowhere.get(number, place) for place, number in zip(encoded.offsets, encoded.sequence_ids, strict=True)
        ]
        inside = (
            start >= 0 and self._goes_on(token_id, token, text, start, end)
            for token_id, token, (start, end) in zip(encoded.ids, encoded.tokens, places, strict=True)
        )
        starts, ends = zip(*places, strict=True)
        return Spans(starts, ends, tuple(-1 if word is None else word for word in encoded.word_ids), tuple(inside))

    def _goes_on(self, token_id: int, token: str, text: str, start: int, end: int) -> bool:
        """Whether a token is not the first of its word; transformers' rule, unknown tokens included."""
        if token_id == self._unknown_id:
            return False
        if self._marks_subwords:
            return len(token) != end - start
        return start > 0 and " " not in text[start - 1 : start + 1]

    def decode(self, token_ids: Sequence[int]) -> str:
        """Text of ``token_ids``, special tokens left out except those that mark calls of tools."""
        text: str
        if self._shown.isdisjoint(token_ids):
            text = self._inner.decode(token_ids, skip_special_tokens=True)
        else:
            shown = [token for token in token_ids if token not in self._hidden]
            text = self._inner.decode(shown, skip_special_tokens=False)
        return text

    def check_ids(self, token_ids: Sequence[int], *, param: str = "prompt") -> None:
        """Raise ``InvalidRequest`` when an id is outside the vocabulary."""
        if token_ids and not 0 <= min(token_ids) <= max(token_ids) < self.vocab_size:
            raise InvalidRequest(
                f"A token id is outside the vocabulary: allowed are 0 to {self.vocab_size - 1}.", param=param
            )

    def facts(self) -> TokenizerFacts:
        """What callers may know of the tokenizer."""
        return TokenizerFacts(
            vocab_size=self.vocab_size,
            bos_token=self.special_tokens.get("bos_token"),
            eos_token=self.special_tokens.get("eos_token"),
            pad_token=self.special_tokens.get("pad_token"),
            chat_template=self.chat_template,
        )

    def id_of(self, token: str) -> int | None:
        """The id of a token by its text, or None."""
        found: int | None = self._inner.token_to_id(token)
        return found

    def _token_text_uncached(self, token_id: int) -> str:
        text: str = self._inner.decode([token_id], skip_special_tokens=False)
        return text


def _special_ids(inner: tokenizers.Tokenizer) -> tuple[frozenset[int], frozenset[int]]:
    """The special tokens that an answer's text shows, and those that it does not."""
    special = {token_id: token.content for token_id, token in inner.get_added_tokens_decoder().items() if token.special}
    shown = frozenset(token_id for token_id, content in special.items() if content in SHOWN_TOKENS)
    return shown, frozenset(special) - shown


def _token_text(value: Any) -> str:
    return str(value["content"]) if isinstance(value, dict) else str(value)


def _find_template(folder: Path, config: dict[str, Any]) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text("utf-8")
    template = config.get("chat_template")
    if isinstance(template, list):  # several named templates; "default" is the one for chat
        named = {str(item.get("name")): item.get("template") for item in template if isinstance(item, dict)}
        template = named.get("default")
    return template if isinstance(template, str) else None


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise CheckpointInvalid(f"{path.name} is not valid JSON.") from error
    return content if isinstance(content, dict) else {}
