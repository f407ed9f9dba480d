"""Finding the key that a person meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.6  # difflib's own: below it, guesses are noise


def nearest_path(given: str, known: Iterable[str]) -> str | None:
    """The dotted path among ``known`` that ``given`` most likely stands for, or None.

    Siblings come first (``server.prot`` means ``server.port``), then the same last part under
    another parent (``port`` means ``server.port``), then whatever is spelled alike.
    """
    paths = sorted(known, key=lambda path: (path.count("."), path))
    parent, _, name = given.rpartition(".")
    siblings = {path.rpartition(".")[2]: path for path in paths if path.rpartition(".")[0] == parent}
    close = nearest_word(name, siblings)
    if close is not None:
        return siblings[close]
    namesakes = [path for path in paths if path.rpartition(".")[2] == name]
    return namesakes[0] if namesakes else nearest_word(given, paths)


def nearest_word(given: str, known: Iterable[str]) -> str | None:
    """The most similar word of ``known``, or None when nothing is similar."""
    close = difflib.get_close_matches(given, list(known), n=1, cutoff=_CUTOFF)
    return close[0] if close else None
