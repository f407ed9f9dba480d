"""Streams without a pause over servers that come and go, what became of them, and servers to go with them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from support.command import environment
from support.ports import free_port

STREAMS = 50
TOKENS = 20
BODY = {"model": "echo", "prompt": "x" * TOKENS, "max_tokens": TOKENS, "stream": True}
ECHO = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.1}}
# One fortieth of what is usual: streams of 2 s, a hook of 2 s.
TIMING = {"route_propagation_seconds": 2, "longest_stream_seconds": 6, "stop_margin_seconds": 10}


@dataclass
class Traffic:
    """Streams without a pause over the endpoints that routing knows, and what became of them.

    ``beginning``: requests that have chosen an endpoint and have no answer yet, by endpoint.
    """

    endpoints: list[str]
    whole: int = 0
    refused: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    beginning: Counter[str] = field(default_factory=Counter)
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, client: httpx.AsyncClient, number: int) -> None:
        while not self.ending.is_set():
            url = self.endpoints[number % len(self.endpoints)]
            self.beginning[url] += 1
            begun = False
            try:
                async with client.stream("POST", f"{url}/v1/completions", json=BODY) as answer:
                    self.beginning[url] -= 1
                    begun = True
                    if answer.status_code != 200:
                        self.refused.append(f"{answer.status_code} of {url}")
                        continue
                    await self._read(answer, url)
            except httpx.TransportError as error:  # before the head of the answer: closed, reset or not listening
                self.refused.append(f"{url}: {error!r}")
                self.beginning[url] -= not begun
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

    @property
    def port(self) -> int:
        """Of its traffic."""
        return int(self.url.rpartition(":")[2])

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.admin}/readyz", timeout=5.0, trust_env=False).is_success
        except httpx.HTTPError:
            return False


@contextmanager
def replica(config: Path) -> Iterator[Replica]:
    port, admin = free_port(), free_port()
    words = ["serve", "--config", str(config), "--port", str(port), "--admin-port", str(admin)]
    with subprocess.Popen(
        [sys.executable, "-m", "podium", *words], env=environment(), stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    ) as process:
        try:
            yield Replica(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}")
        finally:
            process.kill()
