"""Row ``overhead``: what authentication, quotas and a cache that misses add to a request."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.access.borrowed import redis_server
from benchmarks.access.places import Place, counted_key
from benchmarks.loopback.blocking_connection import BlockingConnection
from benchmarks.loopback.dialects import call
from benchmarks.loopback.http_message import post
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.podium_server import Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "overhead"
BLOCK_REQUESTS = 50
BLOCKS = 120
WARM_REQUESTS = 200
OUTPUT_TOKENS = 16
BARE = {"cache": {"store": "off"}}
STORES = ("memory", "redis")


def measure(around: Surroundings) -> None:
    """Once with stores in the process and once with a Redis."""
    blocks = 10 if around.quick else BLOCKS
    for store in STORES:
        with contextlib.ExitStack() as stack:
            servers = _servers(store, around, stack)
            before = around.quiet()
            subjects = [_subject(wanted, server, stack) for wanted, server in servers]
            for subject in subjects:
                _run(subject, WARM_REQUESTS)
                subject.seconds.clear()
            for block in range(blocks):
                shift = block % len(subjects)
                for subject in (*subjects[shift:], *subjects[:shift]):
                    _run(subject, BLOCK_REQUESTS)
        _record(store, subjects, before, around)


@dataclass
class _Subject:
    """A server, a connection to it, and how long each request took. ``cache`` is what its answers must say."""

    name: str
    server: Podium
    connection: BlockingConnection
    cache: str
    key: str = ""
    seconds: list[float] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def request(self) -> bytes:
        """A prompt that was never asked, of always the same length."""
        path, body = call("chat", f"prompt number {next(self.numbers):09d}", OUTPUT_TOKENS)
        return post(self.server.port, path, body, key=self.key)


@dataclass(frozen=True)
class _Wanted:
    """A server to be started; with a key it is the full one."""

    name: str
    sections: dict[str, dict[str, Any]]
    key: str = ""


def _servers(store: str, around: Surroundings, stack: contextlib.ExitStack) -> list[tuple[_Wanted, Podium]]:
    """The bare server, the full one, and another bare one that shows how much two equal servers differ."""
    url = stack.enter_context(redis_server()).url if store == "redis" else ""
    place = Place(around.work / f"{ROW}-{store}.db", url)
    key = counted_key(place)
    all_wanted = (_Wanted("bare", BARE), _Wanted("full", place.sections(), key.text), _Wanted("bare again", BARE))
    found = []
    for wanted in all_wanted:
        wish = Wish(f"{ROW}-{store}-{wanted.name.replace(' ', '-')}", sections=wanted.sections)
        found.append((wanted, stack.enter_context(podium_server(wish, around))))
    return found


def _subject(wanted: _Wanted, server: Podium, stack: contextlib.ExitStack) -> _Subject:
    """Connected now, because a server closes a connection that is idle for some seconds."""
    connection = stack.enter_context(BlockingConnection(server.port))
    return _Subject(wanted.name, server, connection, "miss" if wanted.key else "bypass", wanted.key)


def _run(subject: _Subject, count: int) -> None:
    for request in [subject.request() for _ in range(count)]:
        started = time.perf_counter()
        answer = subject.connection.ask(request)
        subject.seconds.append(time.perf_counter() - started)
        if answer.status != 200 or answer.cache != subject.cache:
            raise RuntimeError(f"{subject.name}: {answer.status}, cache {answer.cache!r}: {answer.body[:200]!r}")


def _record(store: str, subjects: Sequence[_Subject], before: dict[str, object], around: Surroundings) -> None:
    figures = {subject.name: milliseconds(subject.seconds) for subject in subjects}
    values = {"store": store, "requests": len(subjects[0].seconds)}
    for kind in ("p50_ms", "p99_ms"):
        bare, full, again = (figures[name][kind] for name in ("bare", "full", "bare again"))
        values[f"bare_{kind}"], values[f"full_{kind}"] = bare, full
        values[f"added_{kind}"] = round(full - (bare + again) / 2, 4)
        values[f"noise_{kind}"] = round(again - bare, 4)
    around.record(
        ROW,
        setting=store,
        values=values,
        histograms_microseconds={subject.name: histogram(subject.seconds) for subject in subjects},
        before=before,
        parameters={"block_requests": BLOCK_REQUESTS, "output_tokens": OUTPUT_TOKENS},
    )
