"""Labels of models, of which there are only so many: an operator may load one version after the other for years."""

from __future__ import annotations

MOST_VERSIONS = 64
OTHER = "other"
_OTHERS = (OTHER, OTHER)


class ModelLabels:
    """The first ``most`` pairs of model and version are themselves, all later ones are ``other``.

    ``folded``: how many times one was not told from the others.
    """

    def __init__(self, most: int = MOST_VERSIONS) -> None:
        self._most = most
        self._known: set[tuple[str, str]] = set()
        self.folded = 0

    def of(self, model: str, version: str) -> tuple[str, str]:
        """The label values of a version."""
        pair = (model, version)
        if pair in self._known:
            return pair
        if len(self._known) >= self._most:
            self.folded += 1
            return _OTHERS
        self._known.add(pair)
        return pair
