"""A rolling restart with the rendered numbers, scaled down, and real servers: nothing is refused, nothing is cut.

The cluster's part is played here: a new pod first; then, at once, the old one's hook begins and the news that it leaves
is on its way; SIGTERM after the hook, SIGKILL at the end of the grace period.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.command import environment
from support.deadline import soon, until
from support.deployments import SMALL, sets_of
from support.pod import Pod, server_pod
from support.ports import free_port

STREAMS = 50
TOKENS = 20
BODY = {"model": "echo", "prompt": "x" * TOKENS, "max_tokens": TOKENS, "stream": True}
ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.1}}
# One fortieth of what is usual: streams of 2 s, a hook of 2 s, news that arrive after 1 s.
TIMING = {"route_propagation_seconds": 2, "longest_stream_seconds": 6, "stop_margin_seconds": 10}
NEWS_SECONDS = 1.0


@dataclass
class Traffic:
    """Streams without a pause over the endpoints that routing knows, and what became of them."""

    endpoints: list[str]
    whole: int = 0
    refused: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: httpx.AsyncClient, number: int) -> None:
        while not self.ending.is_set():
            url = self.endpoints[number % len(self.endpoints)]
            try:
                async with client.stream("POST", f"{url}/v1/completions", json=BODY) as answer:
                    if answer.status_code != 200:
                        self.refused.append(f"{answer.status_code} of {url}")
                        continue
                    await self._read(answer, url)
            except httpx.TransportError as error:  # before the head of the answer: closed, reset or not listening
                self.refused.append(f"{url}: {error!r}")
                await asyncio.sleep(0.05)

    async def _read(self, answer: httpx.Response, url: str) -> None:
        lines: list[str] = []
        try:
            lines = [line async for line in answer.aiter_lines() if line]
        except httpx.HTTPError as error:
            self.cut.append(f"{url}: {error!r}")
            return
        texts = [json.loads(line[6:])["choices"] for line in lines if line.startswith("data: {")]
        text = "".join(choice["text"] for choices in texts for choice in choices)
        if lines[-1:] == ["data: [DONE]"] and text == BODY["prompt"]:
            self.whole += 1
        else:
            self.cut.append(f"{url}: {lines[-1:]}, {len(text)} characters")


@dataclass
class Replica:
    """One server with the pod's configuration, on ports of its own."""

    process: subprocess.Popen[bytes]
    url: str
    admin: str

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.admin}/readyz", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def _replica(config: Path) -> Iterator[Replica]:
    port, admin = free_port(), free_port()
    words = ["serve", "--config", str(config), "--port", str(port), "--admin-port", str(admin)]
    with subprocess.Popen(
        [sys.executable, "-m", "podium", *words], env=environment(), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        try:
            yield Replica(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}")
        finally:
            process.kill()


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    document = {**SMALL, "models": [ECHO]}
    return server_pod(sets_of(tmp_path / "k8s", document, timing=TIMING)["overlays/production"], tmp_path)


async def _delete(old: Replica, traffic: Traffic, *, hook_seconds: float, grace_seconds: float) -> int:
    """What the cluster does to a pod that it deletes; returns the exit status."""

    async def tell_routing() -> None:
        await asyncio.sleep(NEWS_SECONDS)
        traffic.endpoints.remove(old.url)

    async def end() -> int:
        await asyncio.sleep(hook_seconds)
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
        replicas = [stack.enter_context(_replica(config)) for _ in range(2)]
        until("both are ready", lambda: all(each.is_ready() for each in replicas), seconds=60)
        traffic = Traffic([each.url for each in replicas])
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for number in range(STREAMS):
                group.create_task(traffic.run(client, number), name=f"stream {number}")
            await soon("streams run", lambda: traffic.whole >= STREAMS, seconds=60)
            for old in replicas:
                new = stack.enter_context(_replica(config))
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
    """So that the test above is known to notice."""
    traffic, statuses = asyncio.run(_restart_all(pod, tmp_path, hook_seconds=0))
    assert statuses == [0, 0]
    assert traffic.refused
    assert traffic.cut == []


def test_the_numbers_are_those_that_were_rendered(pod: Pod) -> None:
    settings: dict[str, Any] = {"hook": pod.pre_stop_seconds, "grace": pod.grace_seconds}
    assert settings == {"hook": 2, "grace": 2 + 6 + 10}
    assert "drain_seconds: 6.0" in pod.config
