"""Four processes, one Redis, one of them killed: nobody ever gets more than the quota, and nothing stays taken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from podium.access.ledger import Limit
from support.deadline import until
from support.ledger_oracle import most_in_any_window
from support.ledger_process import KEYS, LEASE_SECONDS, LIVE, SHORT, limits_of
from support.redis import RedisServer, redis_server

SECONDS = 12.0
KILLED_AFTER_SECONDS = 5.0
PROCESSES = 4
Event = dict[str, Any]


@pytest.mark.slow
def test_four_processes_never_exceed_a_quota_and_a_killed_one_frees_what_it_held_within_its_lease(
    tmp_path: Path,
) -> None:
    with redis_server() as server:
        logs = [tmp_path / f"{number}.log" for number in range(PROCESSES)]
        processes = [_start(server, seed, log) for seed, log in enumerate(logs)]
        killed = processes[0]
        kill_at = time.monotonic() + KILLED_AFTER_SECONDS
        time_to_kill = partial(_is_stopped_holding, killed, logs[0])
        until("the first holds something, late enough", lambda: time.monotonic() > kill_at and time_to_kill())
        killed.kill()
        killed_at = time.monotonic()
        for process in processes:
            process.wait(SECONDS + 30)
        assert [process.returncode for process in processes] == [-9, 0, 0, 0]
        events = [_read(log) for log in logs]
        assert _running(events[0]), "it held nothing when it was killed: the test says nothing"
        _check_totals(events)
        _check_history([event for of_one in events for event in of_one], killed_at)
        _check_everything_is_free(server, killed_at)


def _start(server: RedisServer, seed: int, log: Path) -> subprocess.Popen[bytes]:
    orders = {"url": server.url, "seed": seed, "seconds": SECONDS, "log": str(log)}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    return subprocess.Popen([sys.executable, "-m", "support.ledger_process", json.dumps(orders)], env=environment)


def _is_stopped_holding(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Stops it, and lets it go on unless it holds requests: what it holds when it is killed is then known."""
    process.send_signal(signal.SIGSTOP)
    if _running(_read(log)):
        return True
    process.send_signal(signal.SIGCONT)
    return False


def _read(log: Path) -> list[Event]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _running(events: list[Event]) -> list[str]:
    ended = {event["end"] for event in events if "end" in event}
    return [event["begin"] for event in events if "begin" in event and event["begin"] not in ended]


def _check_totals(events: list[list[Event]]) -> None:
    """Enough happened to mean something, and the store took every decision."""
    happened = [event for of_one in events for event in of_one]
    assert sum("begin" in event for event in happened) > 500
    assert sum("refused" in event for event in happened) > 500
    for of_one in events[1:]:
        assert (of_one[-1]["local_decisions"], of_one[-1]["failures"], of_one[-1]["queued"]) == (0, 0, 0)


def _check_history(events: list[Event], killed_at: float) -> None:
    for key in KEYS:
        requests, own_tokens, tenant_tokens, _ = limits_of(key)
        begun = [(event["at"], 1) for event in events if "begin" in event and event["key"] == key]
        delivered = [(event["at"], event["tokens"]) for event in events if "tokens" in event and event["key"] == key]
        everybodys = [(event["at"], event["tokens"]) for event in events if "tokens" in event]
        _check(begun, requests)
        _check(delivered, own_tokens)
        _check(everybodys, tenant_tokens)
    assert _most_at_once(events, killed_at) <= LIVE


def _check(happened: list[tuple[float, int]], of: Limit) -> None:
    most = most_in_any_window(happened, SHORT)
    assert most <= of.most
    assert most > of.most // 2, "the quota was never near: the test says nothing"


def _most_at_once(events: list[Event], killed_at: float) -> int:
    ends = {event["end"]: event["at"] for event in events if "end" in event}
    changes = [(event["at"], 1) for event in events if "begin" in event]
    changes += [(ends.get(event["begin"], killed_at), -1) for event in events if "begin" in event]
    running = most = 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def _check_everything_is_free(server: RedisServer, killed_at: float) -> None:
    """The living have told everything when they left; the dead one's requests end with their lease, by any call."""
    with server.client() as client:
        held = until(
            "nothing is held",
            lambda: not sum(_held(client).values()),
            seconds=max(0.1, killed_at + LEASE_SECONDS + 1 - time.monotonic()),
        )
        assert held


def _held(client: Any) -> Counter[str]:
    keys = client.keys("podium:{q}:b:*")
    return Counter({key: int(client.hget(key, "h") or 0) for key in keys})
