"""Keys and tokens against a real server: made, used, changed and ended while it runs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.testing.server_process import ECHO, ServerProcess, server_process
from support.command import PODIUM, environment, podium
from support.deadline import until
from support.issuer import AUDIENCE, ISSUER, jwk, key_set, token

ACT_SECONDS = 1.0


def settings(folder: Path, **access: Any) -> dict[str, Any]:
    sections = {"access": {"database": str(folder / "podium.db"), **access}}
    (folder / "podium.yaml").write_text(json.dumps({"models": [ECHO], **sections}))
    return sections


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with server_process(**settings(tmp_path)) as running:
        yield running


def status(server: ServerProcess, key: str | None = None, path: str = "/v1/models", method: str = "GET") -> int:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.request(method, server.traffic + path, headers=headers, trust_env=False, timeout=10).status_code


def created(folder: Path, *options: str, command: str = "create") -> tuple[str, str]:
    ended = podium("keys", command, *options, "--json", cwd=folder)
    assert ended.status == 0, ended.err
    made = json.loads(ended.out)
    return made["id"], made["key"]


def within_a_second(what: str, server: ServerProcess, key: str | None, wanted: int) -> None:
    """From the end of a command to its effect."""
    started = time.monotonic()
    until(what, lambda: status(server, key) == wanted, seconds=5)
    assert time.monotonic() - started < ACT_SECONDS, what


def test_a_servers_life_with_keys(server: ServerProcess, tmp_path: Path) -> None:
    assert status(server) == 200, "on loopback without keys everybody on this machine is served"
    assert status(server, "none") == 200, "and may send what a client must send"
    first_id, first = created(tmp_path)
    within_a_second("the first key closes the server", server, None, 401)
    assert (status(server, first), status(server, "none")) == (200, 401)
    _, admin = created(tmp_path, "--role", "admin")
    within_a_second("a second key works", server, admin, 200)
    unload = "/models/echo/unload"
    assert (status(server, first, unload, "POST"), status(server, admin, unload, "POST")) == (403, 200)
    second_id, second = created(tmp_path, first_id, "--grace", "0", command="rotate")
    within_a_second("the rotated key ends", server, first, 401)
    within_a_second("its successor works", server, second, 200)
    podium("keys", "revoke", second_id, cwd=tmp_path)
    within_a_second("the revoked key ends", server, second, 401)
    assert status(server, admin) == 200


def test_metrics_are_for_scrapers_once_there_are_keys(server: ServerProcess, tmp_path: Path) -> None:
    assert server.probe("metrics").status_code == 200
    _, infer = created(tmp_path)
    _, scraper = created(tmp_path, "--role", "metrics")
    within_a_second("the keys are known", server, scraper, 403)
    for base in (server.admin, server.traffic):
        answers = [
            httpx.get(f"{base}/metrics", headers=headers, trust_env=False).status_code
            for headers in ({}, {"x-api-key": infer}, {"x-api-key": scraper})
        ]
        assert answers == [401, 403, 200]
    assert all(server.probe(name).status_code == 200 for name in ("livez", "startupz"))


def test_pages_of_other_sites_and_strangers_behind_proxies_are_not_local(server: ServerProcess) -> None:
    for headers in (
        {"host": "evil.example"},
        {"origin": "https://evil.example"},
        {"x-forwarded-for": "203.0.113.7"},
        {"sec-fetch-site": "cross-site"},
    ):
        answer = httpx.post(f"{server.traffic}/models/echo/unload", headers=headers, trust_env=False)
        assert answer.status_code == 401, headers
    assert status(server, path="/models/echo/unload", method="POST") == 200


def test_tokens_of_the_operators_issuer_open_the_server(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(key_set(jwk("rsa")))
    jwt = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": str(tmp_path / "keys.json")}
    with server_process(**settings(tmp_path, jwt=jwt)) as server:
        assert status(server) == 401, "an issuer closes the server"
        assert status(server, token()) == 200
        assert status(server, token(), "/metrics") == 403
        assert status(server, token(roles=["metrics"]), "/metrics") == 200
        assert status(server, token(exp=int(time.time()) - 100)) == 401
        body = {"model": "echo", "prompt": "a", "max_tokens": 1}
        for models, wanted in ((["echo"], 200), (["other"], 404)):
            headers = {"authorization": f"Bearer {token(models=models)}"}
            answer = httpx.post(f"{server.traffic}/v1/completions", json=body, headers=headers, trust_env=False)
            assert answer.status_code == wanted


def test_the_command_line_sends_the_key_of_the_environment(server: ServerProcess, tmp_path: Path) -> None:
    _, key = created(tmp_path)
    within_a_second("the key is known", server, key, 200)
    (tmp_path / "key").write_text(key)
    for extra, options, wanted in (
        ({}, [], 4),
        ({"PODIUM_API_KEY": key}, [], 0),
        ({"PODIUM_API_KEY": "wrong"}, [], 4),
        ({"PODIUM_API_KEY": "wrong"}, ["--key-file", "key"], 0),
    ):
        command = [*PODIUM, "models", "list", "--url", server.traffic, *options]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(**extra), capture_output=True, text=True, timeout=60, check=False
        )
        assert ended.returncode == wanted, ended.stderr
        assert key not in ended.stdout + ended.stderr
        assert (wanted == 0) == ("PODIUM_API_KEY" not in ended.stderr)


def test_a_private_server_for_one_answer_wants_no_key_and_shares_nothing(tmp_path: Path) -> None:
    jwt = {"issuer": ISSUER, "audience": AUDIENCE, "jwks": "there-is-no-such-file"}
    settings(tmp_path, jwt=jwt, anonymous="never")
    created(tmp_path)
    ended = podium("run", "hello", "--max-tokens", "2", "--set", "server.port=0", cwd=tmp_path)
    assert ended.status == 0, ended.err
    assert ended.out.strip()
