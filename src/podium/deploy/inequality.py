"""Relations between settings that must hold, with the numbers that make them hold or fail."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from podium.core.errors import ConfigurationError

_SIGNS: Mapping[str, Callable[[float, float], bool]] = {">=": operator.ge, ">": operator.gt, "<=": operator.le}


@dataclass(frozen=True)
class Inequality:
    """``left sign right``: each side is its terms by name, which are added.

    ``why`` says what happens when it fails, ``fix`` what to change.
    """

    left: Mapping[str, float]
    sign: str
    right: Mapping[str, float]
    why: str
    fix: str

    @property
    def holds(self) -> bool:
        """Whether it holds."""
        return _SIGNS[self.sign](sum(self.left.values()), sum(self.right.values()))

    def __str__(self) -> str:
        """The relation in names, then in numbers."""
        return f"{' + '.join(self.left)} {self.sign} {' + '.join(self.right)}"

    def failure(self) -> str:
        """What fails, with numbers, why that matters, and what to do."""
        return f"{self} does not hold: {_numbers(self.left)} against {_numbers(self.right)}; {self.why}. {self.fix}"


def refuse(problems: Sequence[str]) -> None:
    """Raise ``ConfigurationError`` with all ``problems``, where there are any."""
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigurationError(
            f"{len(problems)} reasons against rendering:\n{shown}" if problems[1:] else problems[0]
        )


def _numbers(terms: Mapping[str, float]) -> str:
    shown = " + ".join(f"{value:g}" for value in terms.values())
    return shown if len(terms) == 1 else f"{shown} = {sum(terms.values()):g}"
