"""What comes of the tasks that find something in a text: entities, labels, fillings, answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Entity(NamedTuple):
    """A piece of a text, ``text[start:end]``, with its label (or the group of labels) and how sure the model is."""

    label: str
    score: float
    start: int
    end: int


class LabelScore(NamedTuple):
    """A label that the caller named, and how well it fits, 0 to 1."""

    label: str
    score: float


class Filling(NamedTuple):
    """A token in the place of a mask, its text and its probability."""

    token_id: int
    text: str
    score: float


class FoundAnswer(NamedTuple):
    """An answer as it stands in a text, ``text[start:end]``, and its probability. Empty: there is none in it."""

    score: float
    start: int
    end: int


Entities = Sequence[Entity]
