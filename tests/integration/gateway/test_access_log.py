"""The access log of a real Envoy, with real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import httpx

from podium.gateway.access_log import ACCESS_FIELDS
from podium.gateway.traffic import Traffic
from podium.gateway.weights_file import WeightsFile
from support.deadline import soon
from support.fed_envoy import Fed, fed
from support.scripted_server import Received, ScriptedServer, begin_stream, end_stream, reply, send

SECRET = "sk-do-not-write-me"
PROMPT = "a prompt of somebody"
SERVER_SECONDS = 0.2
PARTS = ("held_us", "server_us", "return_us")


def answers(connection: socket.socket, request: Received) -> None:
    if not request.body["stream"]:
        reply(connection, 200, {"text": PROMPT})
        return
    begin_stream(connection)
    send(connection, {"text": PROMPT})
    time.sleep(SERVER_SECONDS)
    end_stream(connection)


def fails(connection: socket.socket, _: Received) -> None:
    time.sleep(SERVER_SECONDS)
    reply(connection, 500, {})


async def answered(one: Fed, request_id: str, *, stream: bool = False) -> None:
    """Ask until there is an answer: a server gets nothing before its first check."""
    url = f"http://127.0.0.1:{one.topology.listen.port}/v1/completions?key={SECRET}"
    headers = {"x-request-id": request_id, "authorization": f"Bearer {SECRET}", "user-agent": "tester/1"}
    async with asyncio.timeout(30), httpx.AsyncClient(timeout=30) as client:
        while (await client.post(url, json={"prompt": PROMPT, "stream": stream}, headers=headers)).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def entries(log: Path) -> dict[str, dict[str, Any]]:
    """Answered requests by their ids; a line that is not whole yet is left out."""
    whole = [json.loads(line) for line in log.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return {entry["request_id"]: entry for entry in whole if entry["status"] == 200}


async def retried(one: Fed, failing: ScriptedServer) -> str:
    """The id of a request that green failed and blue answered."""
    await Traffic(one.topology, one.discovery, WeightsFile(one.folder.weights)).set_weights({"green": 100})
    async with asyncio.timeout(30):
        for number in range(1000):
            await answered(one, f"retried-{number}")
            if failing.posted:
                return f"retried-{number}"
    raise AssertionError


def test_whole_streamed_and_retried_answers_have_all_their_durations_and_nothing_secret_is_written(
    tmp_path: Path,
) -> None:
    """And a copy that is made before the file is cut to nothing, as logrotate's ``copytruncate`` does, is all of it."""
    log = tmp_path / "gateway.jsonl"

    async def act(ports: dict[str, int], failing: ScriptedServer) -> None:
        async with fed(servers=ports, access_log=str(log)) as one:
            await answered(one, "whole")
            await answered(one, "stream", stream=True)
            last = await retried(one, failing)
            await soon("the lines are written", lambda: {"whole", "stream", last} <= entries(log).keys())
            found = [entries(log)[name] for name in ("whole", "stream", last)]
            assert all(entry.keys() == ACCESS_FIELDS.keys() for entry in found)
            for entry in found:
                assert all(entry[name] >= 0 for name in PARTS)
                assert abs(entry["total_us"] - sum(entry[name] for name in PARTS)) <= len(PARTS)  # each is rounded
            whole, stream, again = found
            assert stream["server_us"] >= SERVER_SECONDS * 1e6
            assert again["held_us"] >= SERVER_SECONDS * 1e6
            assert [entry["attempts"] for entry in found] == [1, 1, 2]
            assert {entry["environment"] for entry in found} == {"blue"}
            assert (whole["method"], whole["path"], whole["protocol"]) == ("POST", "/v1/completions", "HTTP/1.1")
            assert (whole["client"], whole["user_agent"]) == ("127.0.0.1", "tester/1")
            text = log.read_text()
            assert SECRET not in text
            assert PROMPT not in text
            os.truncate(log, 0)
            await answered(one, "after")
            await soon("the next line is written", lambda: entries(log).keys() == {"after"})
            assert log.read_bytes().startswith(b"{")

    with ScriptedServer(answers) as blue, ScriptedServer(fails) as green:
        ports = {"blue": int(blue.base_url.split(":")[2][:-3]), "green": int(green.base_url.split(":")[2][:-3])}
        asyncio.run(act(ports, green))
