"""What each request of a run is: made from the plan, the seed and its index alone, in whatever process asks."""

from __future__ import annotations

import random

import msgspec

from podium.bench.dialect import Ask, Message
from podium.bench.plan import Length, RunPlan, Words
from podium.bench.prompts import text_of


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One request to send. ``prompt_tokens`` is None where nobody knows it beforehand."""

    index: int
    scheduled_at: float
    stage: int = 0
    ask: Ask
    session: str = ""
    turn: int = 0
    prompt_tokens: int | None = None
    cancel_after_tokens: int | None = None


class Requests:
    """The requests of a plan by index; the same index is always the same request."""

    def __init__(self, plan: RunPlan) -> None:
        self._plan = plan
        self._work = plan.workload
        self._cache: dict[tuple[int, int], str] = {}

    def planned(self, index: int, scheduled_at: float, stage: int) -> Planned:
        """A request on its own."""
        draw = self._draw(index)
        text, messages, prompt_tokens = self._prompt(index, draw)
        return Planned(
            index=index,
            scheduled_at=scheduled_at,
            stage=stage,
            ask=self._ask(index, draw, text, messages),
            prompt_tokens=prompt_tokens if self._work.inputs == 1 else None,
            cancel_after_tokens=self._cancel(draw),
        )

    def turn(self, index: int, scheduled_at: float, stage: int, session: str, history: list[Message]) -> Planned:
        """The next request of a conversation, after ``history``."""
        draw = self._draw(index)
        text, messages, tokens = self._prompt(index, draw)
        said = messages if messages is not None else [{"role": "user", "content": text}]
        return Planned(
            index=index,
            scheduled_at=scheduled_at,
            stage=stage,
            ask=self._ask(index, draw, "", [*history, *said]),
            session=session,
            turn=sum(message["role"] == "assistant" for message in history),
            prompt_tokens=None if history else tokens,
            cancel_after_tokens=self._cancel(draw),
        )

    def _draw(self, index: int) -> random.Random:
        return random.Random(f"{self._plan.seed}/{index}")  # noqa: S311 - a load, not a secret

    def _cancel(self, draw: random.Random) -> int | None:
        return self._work.cancel_after_tokens if draw.random() < self._work.cancel_share else None

    def _ask(self, index: int, draw: random.Random, text: str, messages: list[Message] | None) -> Ask:
        work = self._work
        turn = work.turns[index % len(work.turns)] if work.kind == "trace" else None
        tokens = length(work.output, draw) if turn is None else turn.output_tokens
        return Ask(
            text=text,
            messages=messages,
            more=[self._prompt(index + number, draw)[0] for number in range(1, work.inputs)],
            tensors=self._plan.target.tensors,
            output_tokens=tokens,
            ignore_eos=work.ignore_eos,
            streamed=self._plan.target.streamed,
            extra=work.extra,
        )

    def _prompt(self, index: int, draw: random.Random) -> tuple[str, list[Message] | None, int | None]:
        work = self._work
        if work.kind == "texts":
            return work.texts[index % len(work.texts)], None, None
        if work.kind == "chats":
            return "", work.chats[index % len(work.chats)], None
        words = self._words()
        if work.kind == "trace":
            return self._of_trace(index, words, draw)
        wanted = max(length(work.prompt, draw), words.overhead + work.shared_prefix_tokens + 1)
        shared = ""
        if work.shared_prefix_tokens:
            shared = self._block(draw.randrange(work.prefix_groups), work.shared_prefix_tokens, words)
        own = wanted - words.overhead - work.shared_prefix_tokens
        return shared + text_of(words, own, draw), None, wanted

    def _of_trace(self, index: int, words: Words, draw: random.Random) -> tuple[str, None, int]:
        turn = self._work.turns[index % len(self._work.turns)]
        left = max(1, turn.prompt_tokens - words.overhead)
        wanted = left + words.overhead
        pieces = []
        for block in turn.blocks:
            take = min(turn.block_tokens, left)
            if take < turn.block_tokens:
                break
            pieces.append(self._block(block, turn.block_tokens, words))
            left -= take
        if left:
            pieces.append(text_of(words, left, draw))
        return "".join(pieces), None, wanted

    def _block(self, number: int, tokens: int, words: Words) -> str:
        """The text that every request with this block or prefix number has in common."""
        key = (number, tokens)
        if key not in self._cache:
            draw = random.Random(f"{self._plan.seed}/block/{number}")  # noqa: S311 - a load, not a secret
            self._cache[key] = text_of(words, tokens, draw)
        return self._cache[key]

    def _words(self) -> Words:
        if self._plan.words is None:
            raise RuntimeError("a synthetic workload without words: this is a bug")
        return self._plan.words


def length(wanted: Length, draw: random.Random) -> int:
    """One draw of a length."""
    drawn = wanted.mean if wanted.std == 0 else round(draw.gauss(wanted.mean, wanted.std))
    return min(max(drawn, wanted.least), wanted.most)
