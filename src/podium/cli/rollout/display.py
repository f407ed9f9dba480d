"""Where looks at a rollout are shown: drawn over and over on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from podium.cli import output
from podium.cli.rollout.change_line import change_line, standing
from podium.cli.rollout.picture import picture
from podium.cli.rollout.progress import Look

Show = Callable[[Look], None]
Aside = Callable[[], Mapping[str, str]]
"""What is shown beside the rollout, by its label."""

_SILENT = "the controller does not answer; the gateway goes on as it is, and so does this watch"


def _nothing() -> Mapping[str, str]:
    return {}


@contextmanager
def display(*, as_json: bool, aside: Aside = _nothing) -> Iterator[Show]:
    """How to show a look. With ``as_json`` lines go to standard error, for a document follows on standard output."""
    if output.can_draw() and not as_json:
        with output.screen() as screen:
            yield lambda look: screen.show(picture(look.rollout, look.newest, time.time(), _beside(look, aside)))
    else:
        yield _Lines(output.note if as_json else output.line, aside)


def _beside(look: Look, aside: Aside) -> Mapping[str, str]:
    return {**aside(), "note": _SILENT} if look.silent else aside()


class _Lines:
    """Says what has changed since the look before."""

    def __init__(self, say: Callable[[str], None], aside: Aside) -> None:
        self._say = say
        self._aside = aside
        self._said: tuple[object, ...] | None = None

    def __call__(self, look: Look) -> None:
        now = (*standing(look.rollout), look.silent)
        if now == self._said:
            return
        self._said = now
        words = [change_line(look.rollout, time.time())]
        words += [f"{label} {text}" for label, text in _beside(look, self._aside).items()]
        self._say("; ".join(words))
