"""How far a request is, told by whoever moves it on to whoever keeps the account of requests in flight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, get_args

Phase = Literal["admit", "queue", "run", "flush"]
"""``admit``: read, identified, reserved. ``queue``: waits for a place in the running batch. ``run``: computed.
``flush``: all of it is there, and is being written."""

PHASES: tuple[Phase, ...] = get_args(Phase)


def _unheard(_phase: Phase) -> None:
    """Nobody keeps an account."""


_listener: ContextVar[Callable[[Phase], None]] = ContextVar("podium phase", default=_unheard)


def listen(listener: Callable[[Phase], None]) -> None:
    """From now on ``listener`` is told of this task's request, and of those that its own tasks make for it."""
    _listener.set(listener)


@contextmanager
def unheard() -> Iterator[None]:
    """What is done inside is no part of the task's request, such as a question of the server's own."""
    token = _listener.set(_unheard)
    try:
        yield
    finally:
        _listener.reset(token)


def enter(phase: Phase) -> None:
    """The request of this task has got so far."""
    _listener.get()(phase)
