"""Where a setting came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Steps = tuple[str | int, ...]
"""A path into the settings: ``("models", 0, "name")``."""


@dataclass(frozen=True)
class Origin:
    """One source. ``where`` is a variable's name or ``file:line``; empty for a flag and a default."""

    kind: Literal["flag", "environment", "file", "default"]
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.where}".rstrip()


def path_text(path: Steps) -> str:
    """A path as people write it: ``models[0].name``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.removeprefix(".")
