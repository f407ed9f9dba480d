"""What a rule is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from podium.deploy.lint.graph import Graph, Item

Severity = Literal["error", "warning"]
Place = tuple[Item, str, str]
"""The object, the path inside it, and what is wrong there."""
Look = Callable[[Graph], Iterator[Place]]


@dataclass(frozen=True)
class Rule:
    """One rule. ``why`` says what it means for serving models, ``fix`` what to change; ``look`` finds its breaches."""

    id: str
    severity: Severity
    why: str
    fix: str
    look: Look


@dataclass(frozen=True)
class Finding:
    """One breach of a rule, with everything that a person needs to mend it."""

    rule: str
    severity: Severity
    set: str
    file: str
    object: str
    path: str
    message: str
    why: str
    fix: str
