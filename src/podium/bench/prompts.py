"""Synthetic texts of an exact number of tokens, for any tokenizer that a counter can ask.

With byte-pair and word-piece vocabularies a common word with the blank before it is one token, and words do not merge
with each other: n words are n tokens. With a byte vocabulary n characters are n tokens. Which of the two holds is
found out and then proven on texts of the lengths that the run will use; where neither does, that is an error and not
an approximation.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from podium.bench.counting import TokenCounter
from podium.bench.plan import Words
from podium.core.errors import InvalidRequest

_CANDIDATES = """
time year people way day man thing woman life child world school state family student group country problem hand part
place case week company system program question work government number night point home water room mother area money
story fact month lot right study book eye job word business issue side kind head house service friend father power
hour game line end member law car city community name president team minute idea body back parent face others level
office door health person art war history party result change morning reason research girl guy moment air teacher
force education foot boy age policy music market sense
""".split()  # noqa: SIM905 - a list of a hundred words reads best as words
LEAST_WORDS = 16
_PROBE = 24


def learn(counter: TokenCounter, lengths: Iterable[int]) -> Words:
    """How to write texts of exactly n tokens for this counter, proven on ``lengths``.

    Raises:
        InvalidRequest: texts of an exact length cannot be made; the message says what was seen.
    """
    for words in (_by_words(counter), _by_bytes(counter)):
        if words is not None and _holds(counter, words, lengths):
            return words
    raise InvalidRequest(
        f"prompts of an exact token length cannot be made with {counter.source}: neither words nor characters add up; "
        "send prompts of a file instead (--prompts)"
    )


def text_of(words: Words, tokens: int, draw: random.Random) -> str:
    """A text of ``tokens`` tokens, not counting the overhead. ``tokens`` below 1 is 1."""
    tokens = max(1, tokens)
    if words.unit == "word":
        return " " + " ".join(draw.choices(words.words, k=tokens))
    text = " ".join(draw.choices(words.words, k=tokens // 3 + 1))
    return text[:tokens].rstrip().ljust(tokens, "a")


def _by_words(counter: TokenCounter) -> Words | None:
    base = counter.count(" time" * _PROBE)
    overhead = base - _PROBE
    if overhead < 0 or counter.count(" time" * (_PROBE + 8)) != base + 8:
        return None
    single = [word for word in _CANDIDATES if counter.count(" time" * (_PROBE - 2) + f" {word} time") == base]
    if len(single) < LEAST_WORDS:
        return None
    return Words(unit="word", words=single, overhead=overhead, source=counter.source)


def _by_bytes(counter: TokenCounter) -> Words | None:
    overhead = counter.count("a" * _PROBE) - _PROBE
    if overhead < 0:
        return None
    return Words(unit="byte", words=list(_CANDIDATES), overhead=overhead, source=counter.source)


def _holds(counter: TokenCounter, words: Words, lengths: Iterable[int]) -> bool:
    draw = random.Random(1)  # noqa: S311 - texts, not secrets
    return all(
        counter.count(text_of(words, length, draw)) == max(1, length) + words.overhead for length in (*lengths, 40)
    )


def unproven() -> Words:
    """Common words, one token each with most vocabularies; nobody has counted them here."""
    return Words(unit="word", words=list(_CANDIDATES), overhead=0, source="not counted: the target could not be asked")
