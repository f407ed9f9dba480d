"""A rollout of a history as a recording: its intervals, ready to be judged by another policy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from podium.core.errors import InvalidRequest
from podium.rollout.course import Course
from podium.rollout.events import Started
from podium.rollout.history import read, read_intervals
from podium.rollout.recording import RecordedInterval, Recording
from podium.rollout.state import WHOLE, Phase


class RecordedRollout(msgspec.Struct, frozen=True):
    """What it was started with, how it stands at the end of the history, and what was counted in it."""

    number: int
    started: Started
    phase: Phase
    reason: str
    recording: Recording


def recorded(history: Path, number: int | None = None) -> RecordedRollout:
    """Rollout ``number`` of a history, the newest one for None; also while a controller writes.

    Intervals in which one version had all traffic are left out: nothing can be compared there.

    Raises:
        InvalidRequest: there is no such rollout, or nothing was counted in it.
    """
    courses = _courses(history)
    if not courses:
        raise InvalidRequest("no rollout is in it")
    wanted = max(courses) if number is None else number
    if wanted not in courses:
        raise InvalidRequest(f"no rollout {wanted} is in it; there are 1 to {max(courses)}")
    started, course = courses[wanted]
    intervals = tuple(
        RecordedInterval(_clock(observed.ended), observed.units / WHOLE, observed.interval)
        for observed in (entry.observed for entry in read_intervals(history))
        if observed.rollout == wanted and 0 < observed.units < WHOLE
    )
    if not intervals:
        raise InvalidRequest(f"nothing was compared in rollout {wanted}: no interval had traffic on both versions")
    recording = Recording(frozenset(started.terms.measured), intervals, course.slow_above)
    return RecordedRollout(wanted, started, course.state.phase, course.state.reason, recording)


def _courses(history: Path) -> dict[int, tuple[Started, Course]]:
    """Each rollout's start and end, by number."""
    found: dict[int, tuple[Started, Course]] = {}
    course = Course()
    for entry in read(history):
        event = entry.event
        course = course.after(event)
        number = course.state.number
        found[number] = (event if isinstance(event, Started) else found[number][0], course)
    return found


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
