"""A key is in the answer that makes it, and nowhere else: planted ones are looked for in everything that is written."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from podium.access import api_keys
from podium.testing.server_process import ECHO, ServerProcess, server_process
from support.command import podium
from support.redis import RedisServer, redis_server

PATHS = (
    "/generate",
    "/v1/chat/completions",
    "/v1/models",
    "/models/echo/unload",
    "/metrics",
    "/usage",
    "/no/such",
    "/livez",
)
BODIES: tuple[bytes, ...] = (
    b"",
    b"{",
    b'{"prompt": "x", "messages": [{"role": "user", "content": "x"}], "max_tokens": 1}',
)


def sent_with(text: str) -> list[dict[str, str]]:
    """Every place of a header where somebody might put a key, rightly or not."""
    return [
        {"authorization": f"Bearer {text}"},
        {"authorization": f"Basic {text}"},
        {"authorization": text},
        {"x-api-key": text},
        {"x-api-key": text, "authorization": "Bearer other"},
        {"host": text},
        {"origin": text},
        {"cookie": text},
        {"idempotency-key": text, "authorization": f"Bearer {text}"},
        {"content-type": text, "authorization": f"Bearer {text}"},
    ]


def provoke(server: ServerProcess, text: str) -> list[httpx.Response]:
    answers = []
    with httpx.Client(trust_env=False, timeout=30) as client:
        for path, headers, body in itertools.product(PATHS, sent_with(text), BODIES):
            method = "POST" if body or path.startswith("/models") else "GET"
            given = {"content-type": "application/json", **headers}
            answers.append(client.request(method, server.traffic + path, content=body, headers=given))
        answers += [client.get(f"{server.traffic}{path}/{text}", headers={"x-api-key": text}) for path in PATHS]
        answers += [client.get(f"{server.admin}/metrics", headers=headers) for headers in sent_with(text)]
    return answers


def everything_in(server: RedisServer) -> str:
    """Names and values of every key, unpacked."""
    readers = {b"string": "GET", b"hash": "HGETALL", b"set": "SMEMBERS", b"zset": "ZRANGE"}
    found = []
    with server.client() as client:
        for name in client.scan_iter():
            command = readers[client.type(name)]
            rest = ("0", "-1") if command == "ZRANGE" else ()
            found.append((name, client.execute_command(command, name, *rest)))
    return str(found)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_planted_key_is_in_no_log_answer_metric_store_or_process_list(kind: str, tmp_path: Path) -> None:
    with redis_server() as redis:
        path = tmp_path / "podium.db"
        sections: dict[str, Any] = {"access": {"database": str(path)}}
        if kind == "redis":
            sections["redis"] = {"url": redis.url}
        (tmp_path / "podium.yaml").write_text(json.dumps({"models": [ECHO], **sections}))
        made = podium("keys", "create", "--role", "admin", "--json", cwd=tmp_path)
        text: str = json.loads(made.out)["key"]
        assert text not in made.err
        with server_process(**sections) as server:
            answers = provoke(server, text)
            assert {answer.status_code for answer in answers} >= {200, 400, 401, 404}
            metrics = httpx.get(f"{server.admin}/metrics", headers={"x-api-key": text}, trust_env=False)
            assert metrics.status_code == 200
            command_lines = [" ".join(process.cmdline()) for process in psutil.Process(server.process.pid).children()]
            written = {
                "answers": "".join(answer.text + str(answer.headers) for answer in answers),
                "metrics": metrics.text,
                "log": json.dumps(server.log),
                "process list": " ".join(command_lines),
                "files": b"".join(found.read_bytes() for found in tmp_path.glob("podium.db*")).decode("latin-1"),
                "redis": everything_in(redis),
            }
    place_of_keys = "redis" if kind == "redis" else "files"
    assert json.loads(made.out)["id"] in written[place_of_keys]
    assert written["log"].count('"request"') > 100, "the scan reads what is there"
    for place, words in written.items():
        for piece in (text, text[-43:], api_keys.digest_of(text).hex()):
            assert piece not in words, place
