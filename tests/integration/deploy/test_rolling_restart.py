"""A rolling restart with the rendered numbers, scaled down, and real servers: nothing is refused, nothing is cut.

The cluster's part is played here: a new pod first; then, at once, the old one's hook begins and the news that it leaves
is on its way; SIGTERM after the hook, SIGKILL at the end of the grace period.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.deadline import soon, until
from support.deployments import SMALL, sets_of
from support.pod import Pod, server_pod
from support.streams import ECHO, STREAMS, TIMING, Replica, Traffic, replica

NEWS_SECONDS = 1.0
"""Until routing knows that a pod leaves."""


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    document = {**SMALL, "models": [ECHO]}
    return server_pod(sets_of(tmp_path / "k8s", document, timing=TIMING)["overlays/production"], tmp_path)


async def _delete(old: Replica, traffic: Traffic, *, hook_seconds: float, grace_seconds: float) -> int:
    """What the cluster does to a pod that it deletes; returns the exit status."""

    async def tell_routing() -> None:
        await asyncio.sleep(NEWS_SECONDS)
        if not hook_seconds:  # whether somebody begins within that second would be chance
            await soon("somebody was sent there", lambda: bool(traffic.refused), seconds=60)
        traffic.endpoints.remove(old.url)

    async def end() -> int:
        await asyncio.sleep(hook_seconds)
        if hook_seconds:  # a client of ours that is slow to connect is not what the hook is for
            await soon("nobody is on his way there", lambda: not traffic.beginning[old.url], seconds=60)
        old.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(old.process.wait)

    try:
        async with asyncio.timeout(grace_seconds), asyncio.TaskGroup() as group:
            group.create_task(tell_routing(), name="routing")
            ended = group.create_task(end(), name="end of the pod")
    except TimeoutError:
        old.process.kill()
        return -signal.SIGKILL
    return ended.result()


async def _restart_all(pod: Pod, folder: Path, *, hook_seconds: float) -> tuple[Traffic, list[int]]:
    config = folder / "podium.yaml"
    config.write_text(pod.config)
    statuses = []
    with ExitStack() as stack:
        replicas = [stack.enter_context(replica(config)) for _ in range(2)]
        until("both are ready", lambda: all(each.is_ready() for each in replicas), seconds=120)
        traffic = Traffic([each.url for each in replicas])
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # else one may close as it is used
        async with (
            httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(STREAMS):
                group.create_task(traffic.run(client, number), name=f"stream {number}")
            await soon("streams run", lambda: traffic.whole >= STREAMS, seconds=60)
            for old in replicas:
                new = stack.enter_context(replica(config))
                while not await asyncio.to_thread(new.is_ready):  # noqa: ASYNC110 - another process has no event
                    await asyncio.sleep(0.1)
                traffic.endpoints.append(new.url)
                status = await _delete(old, traffic, hook_seconds=hook_seconds, grace_seconds=pod.grace_seconds)
                statuses.append(status)
            traffic.ending.set()
    return traffic, statuses


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rolling_restart_under_fifty_streams_cuts_and_refuses_none(pod: Pod, tmp_path: Path) -> None:
    traffic, statuses = asyncio.run(_restart_all(pod, tmp_path, hook_seconds=pod.pre_stop_seconds))
    assert statuses == [0, 0]
    assert (traffic.refused, traffic.cut) == ([], [])
    assert traffic.whole > 2 * STREAMS


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_the_hook_the_same_restart_refuses_requests(pod: Pod, tmp_path: Path) -> None:
    """So that the test above is known to notice. Routing learns of the first pod's leave after the first refusal."""
    traffic, statuses = asyncio.run(_restart_all(pod, tmp_path, hook_seconds=0))
    assert statuses == [0, 0]
    assert traffic.refused
    assert traffic.cut == []


def test_the_numbers_are_those_that_were_rendered(pod: Pod) -> None:
    settings: dict[str, Any] = {"hook": pod.pre_stop_seconds, "grace": pod.grace_seconds}
    assert settings == {"hook": 2, "grace": 2 + 6 + 10}
    assert "drain_seconds: 6.0" in pod.config
