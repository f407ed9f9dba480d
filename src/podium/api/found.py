"""What was found in texts, in the shapes that every dialect tells it in."""

from __future__ import annotations

from collections.abc import Sequence

from podium.core.task_answers import Entity, FoundAnswer
from podium.protocols.text_tasks import AnswerSpan, FoundEntity


def found_entities(
    texts: Sequence[str], found: Sequence[Sequence[Entity]], *, grouped: bool
) -> list[list[FoundEntity]]:
    """The entities of each text; ``grouped``: tokens were put together, so they are groups."""
    member = "entity_group" if grouped else "entity"
    return [
        [
            FoundEntity(one.score, text[one.start : one.end], one.start, one.end, **{member: one.label})
            for one in entities
        ]
        for text, entities in zip(texts, found, strict=True)
    ]


def found_answers(context: str, answers: Sequence[FoundAnswer]) -> list[AnswerSpan]:
    """Answers with their words."""
    return [AnswerSpan(one.score, context[one.start : one.end], one.start, one.end) for one in answers]
