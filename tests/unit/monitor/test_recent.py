"""Requests of all replicas together: bounded, and a replica that is away or lies is told as such."""

from __future__ import annotations

import asyncio

import httpx
import msgspec
import pytest

from podium.monitor.recent import MOST_NEWEST, MOST_SLOWEST, RecentSource, RecentWatch
from podium.monitor.target import ScrapeRefused
from podium.protocols.recent_requests import RecentRequest, RecentRequestsAnswer
from support.monitor import Clock


def ended(name: str, *, seconds: float, at: float = 0.0) -> RecentRequest:
    return RecentRequest(
        at=at, request_id=name, route="/generate", model="m", version="1", status=200, outcome="ok", e2e_seconds=seconds
    )


def page(*requests: RecentRequest) -> bytes:
    slowest = sorted(requests, key=lambda one: -one.e2e_seconds)
    newest = sorted(requests, key=lambda one: -one.at)
    return msgspec.json.encode(RecentRequestsAnswer(window_seconds=600.0, slowest=slowest, newest=newest))


class Replica:
    """Answers with what a test puts here, or raises it."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.next: bytes | Exception = page()
        self.source = RecentSource(name, self.fetch, clock)

    async def fetch(self) -> bytes:
        if isinstance(self.next, Exception):
            raise self.next
        return self.next


class Watched:
    """Two replicas."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.blue, self.green = Replica("blue-1", self.clock), Replica("green-1", self.clock)
        self.watch = RecentWatch([self.blue.source, self.green.source])

    def round(self) -> None:
        asyncio.run(self.watch.round())


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_requests_of_all_replicas_are_told_together_with_where_they_ended(watched: Watched) -> None:
    watched.blue.next = page(ended("a", seconds=1.0, at=1.0), ended("b", seconds=5.0, at=2.0))
    watched.green.next = page(ended("c", seconds=3.0, at=3.0))
    watched.round()
    assert [(name, one.request_id) for name, one in watched.watch.slowest] == [
        ("blue-1", "b"), ("green-1", "c"), ("blue-1", "a"),
    ]  # fmt: skip
    assert [one.request_id for _, one in watched.watch.newest] == ["c", "b", "a"]
    assert watched.watch.window_seconds == 600


def test_what_a_dead_replica_last_told_is_kept_with_its_age_and_why(watched: Watched) -> None:
    watched.blue.next = page(ended("a", seconds=1.0))
    watched.round()
    watched.blue.next = httpx.ConnectError("x")
    watched.clock.now += 30
    watched.round()
    assert [one.request_id for _, one in watched.watch.slowest] == ["a"]
    assert "does not answer" in watched.blue.source.problem
    assert watched.blue.source.age_seconds() == 30
    assert (watched.green.source.problem, watched.green.source.age_seconds()) == ("", 0)


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"{}", b"\xff", b'{"x":' + b"[" * 100_000, page(ended("x" * 300, seconds=1.0)),
     b'{"window_seconds": 1, "slowest": [7], "newest": []}',
     ScrapeRefused(404), ScrapeRefused(401), TimeoutError()],
)  # fmt: skip
def test_an_answer_that_is_none_is_told_and_leaves_the_others_alone(
    watched: Watched, answer: bytes | Exception
) -> None:
    watched.blue.next = answer
    watched.green.next = page(ended("c", seconds=3.0))
    watched.round()
    assert watched.blue.source.problem
    assert watched.blue.source.age_seconds() is None
    assert [one.request_id for _, one in watched.watch.newest] == ["c"]


def test_before_anybody_told_anything_no_window_is_claimed(watched: Watched) -> None:
    assert watched.watch.window_seconds is None
    assert watched.watch.slowest == []
    assert watched.blue.source.problem == "not asked yet"


def test_however_much_a_replica_tells_the_page_stays_small(watched: Watched) -> None:
    many = [ended(f"r{number}", seconds=float(number), at=float(number)) for number in range(900)]
    watched.blue.next = watched.green.next = page(*many)
    watched.round()
    assert len(watched.watch.slowest) == MOST_SLOWEST
    assert len(watched.watch.newest) == MOST_NEWEST
