"""``podium up`` with a gateway: real Envoy, real servers, real sockets."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
import pytest

from podium.gateway.attempts import Attempt
from support.batches import jsonl, line, results
from support.command import PODIUM, environment, podium
from support.deadline import until
from support.gateway_stack import BODY, ECHO, RunningStack, running_stack
from support.scripted_server import Received, ScriptedServer, reply

TWO = {"blue": {"replicas": 1}, "green": {"replicas": 1}}
SLOW = {"name": "echo", "source": "none", "engine": {"kind": "echo", "token_interval_seconds": 0.05}}
USERS = [f"user-{number}" for number in range(250)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Two environments with one echo server each."""
    with running_stack(tmp_path_factory.mktemp("stack"), gateway={"environments": TWO}) as running:
        yield running


def arms(stack: RunningStack, users: list[str] | None = None, *, count: int = 0) -> list[str | None]:
    """Which environment took each user's request (or ``count`` requests without a user), by the attempts log."""
    ids: list[str | None] = []
    nobody: list[str | None] = [None] * count
    with httpx.Client(timeout=30, base_url=stack.gateway) as client:
        for user in users or nobody:
            headers = {} if user is None else {"x-podium-user": user}
            answer = client.post("/v1/completions", json=BODY, headers=headers)
            assert answer.status_code == 200
            ids.append(answer.headers["x-request-id"])

    def found() -> dict[str | None, Attempt]:
        return {attempt.request_id: attempt for attempt in stack.attempts()}

    def all_found() -> dict[str | None, Attempt] | None:
        return now if set(ids) <= set(now := found()) else None

    logged = until("every attempt is logged", all_found)
    return [logged[request_id].environment for request_id in ids]


def test_weights_are_realised_and_users_stay_where_they_are(stack: RunningStack) -> None:
    """Within five standard deviations; a user is never moved back when green grows."""
    assert stack.set_weights(blue=70, green=30).status_code == 200
    at_30 = arms(stack, USERS)
    assert abs(at_30.count("green") - 75) < 5 * (250 * 0.3 * 0.7) ** 0.5
    assert arms(stack, USERS) == at_30
    assert stack.set_weights(blue=40, green=60).status_code == 200
    at_60 = arms(stack, USERS)
    assert abs(at_60.count("green") - 150) < 5 * (250 * 0.6 * 0.4) ** 0.5
    assert [
        user for user, before, after in zip(USERS, at_30, at_60, strict=True) if (before, after) == ("green", "blue")
    ] == []


@pytest.mark.parametrize(("weights", "winner"), [({"green": 100}, "green"), ({"blue": 100}, "blue")])
def test_all_is_all_and_nothing_is_nothing(stack: RunningStack, weights: dict[str, float], winner: str) -> None:
    assert stack.set_weights(**weights).status_code == 200
    assert set(arms(stack, count=60)) == {winner}


def test_without_a_user_the_split_is_by_chance(stack: RunningStack) -> None:
    assert stack.set_weights(blue=50, green=50).status_code == 200
    counts = Counter(arms(stack, count=200))
    assert abs(counts["green"] - 100) < 5 * (200 * 0.25) ** 0.5


def test_a_tester_reaches_the_arm_that_a_header_names(stack: RunningStack) -> None:
    """And is not counted among those that the weights sent there."""
    assert stack.set_weights(blue=100).status_code == 200
    before = by_name(stack)
    answer = stack.ask(arm="green")
    assert answer.status_code == 200
    asked = answer.headers["x-request-id"]
    (attempt,) = until("it is logged", lambda: [one for one in stack.attempts("pin-green") if one.request_id == asked])
    assert (attempt.environment, attempt.attempt, attempt.code, attempt.failed) == ("green", 1, 200, False)
    until("it is counted, and not as a first attempt", lambda: by_name(stack) > before)


def by_name(stack: RunningStack) -> int:
    """Green's attempts that are no first ones. First attempts of earlier tests may still be counted meanwhile."""
    green = stack.traffic()["environments"]["green"]
    return int(green["attempts"] - green["first_attempts"])


def test_servers_of_both_environments_share_files_and_batches(stack: RunningStack) -> None:
    """A large upload passes the gateway, and every server answers for what another one took and ran."""
    content = jsonl(*(line(str(number), prompt="x" * 900_000) for number in range(20)))
    assert stack.set_weights(green=100).status_code == 200
    with openai.OpenAI(base_url=f"{stack.gateway}/v1", api_key="none") as client:
        file = client.files.create(file=("lines.jsonl", content), purpose="batch")
        batch = client.batches.create(input_file_id=file.id, endpoint="/v1/completions", completion_window="24h")
        assert stack.set_weights(blue=100).status_code == 200
        assert client.files.content(file.id).content == content
        until("it has ended", lambda: client.batches.retrieve(batch.id).status == "completed", seconds=60)
        output = client.files.content(client.batches.retrieve(batch.id).error_file_id or "").content
    assert len(results(output)) == 20, "the prompts were too long for the model"
    assert (stack.folder / "podium-batches" / "files" / file.id).exists()


def test_there_is_one_exact_line_for_each_attempt(stack: RunningStack) -> None:
    assert stack.set_weights(blue=100).status_code == 200
    answer = httpx.post(f"{stack.gateway}/v1/completions", json=BODY, headers={"x-request-id": "my-own-id"}, timeout=30)
    assert answer.headers["x-request-id"] == "my-own-id"
    (attempt,) = until("it is logged", lambda: [one for one in stack.attempts() if one.request_id == "my-own-id"])
    (server,) = stack.traffic()["environments"]["blue"]["endpoints"]
    assert attempt.host == server["address"]
    assert (attempt.environment, attempt.code, attempt.attempt, attempt.failed) == ("blue", 200, 1, False)
    assert attempt.first_byte_us


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        ({"prompt": "a b c", "stream": True}, "whole"),
        ({"prompt": "a b c"}, "whole"),
        ({"prompt": "a fault:error@3", "stream": True}, "broken"),
    ],
)
def test_the_line_says_how_an_answer_ended_also_with_status_200(
    stack: RunningStack, asked: dict[str, Any], end: str
) -> None:
    assert stack.set_weights(blue=100).status_code == 200
    answer = stack.ask(**asked)
    assert answer.status_code == 200
    request_id = answer.headers["x-request-id"]
    (attempt,) = until("it is logged", lambda: [one for one in stack.attempts() if one.request_id == request_id])
    assert attempt.answer is not None
    assert (attempt.code, attempt.answer.end, attempt.failed) == (200, end, False)
    assert attempt.answer.tokens == (3 if end == "broken" else 6)


def test_wrong_weights_are_refused_with_the_reason_and_change_nothing(stack: RunningStack) -> None:
    before = stack.traffic()["version"]
    for weights, words in ({"red": 100.0}, "'red', which is no environment"), ({"blue": 90.0}, "together 90"):
        answer = stack.set_weights(**weights)
        assert answer.status_code == 400
        assert words in answer.json()["error"]["message"]
    assert stack.traffic()["version"] == before


def test_the_commands_show_and_change_the_split(stack: RunningStack) -> None:
    words = ("--url", stack.control)
    changed = podium("gateway", "weights", "blue=99.5", "green=0.5", *words, "--json", cwd=stack.folder)
    assert json.loads(changed.out)["weights"] == {"blue": 99.5, "green": 0.5}
    shown = podium("gateway", "status", "--config", "podium.yaml", cwd=stack.folder)
    assert "99.5 %" in shown.out
    assert "(healthy)" in shown.out
    refused = podium("gateway", "weights", "blue=1", *words, cwd=stack.folder)
    assert (refused.status, refused.out) == (4, "")
    assert "together 1; they should be 100" in refused.err
    assert podium("gateway", "weights", "blue", *words, cwd=stack.folder).status == 2


def raw(stack: RunningStack, request: bytes) -> bytes:
    host, port = stack.gateway.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)


EDGE = {
    "no host": (b"GET /v1/models HTTP/1.1\r\n\r\n", b"400"),
    "an underscore in a header's name": (b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\na_b: 1\r\n\r\n", b"400"),
    "two lengths": (
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"400",
    ),
    "a megabyte of headers": (b"GET / HTTP/1.1\r\nhost: localhost\r\na: " + b"x" * 1_000_000 + b"\r\n\r\n", b"431"),
    "an escaped slash": (b"GET /v1%2Fmodels HTTP/1.1\r\nhost: localhost\r\n\r\n", b"307"),
}


@pytest.mark.parametrize("case", EDGE)
def test_the_edge_refuses(stack: RunningStack, case: str) -> None:
    request, status = EDGE[case]
    try:
        answer = raw(stack, request)
    except ConnectionResetError:
        return  # it did not want the rest
    assert answer.split(b" ")[1] == status


def test_a_caller_from_elsewhere_is_a_stranger_behind_the_gateway_too(stack: RunningStack) -> None:
    answer = httpx.post(f"{stack.gateway}/v1/completions", json=BODY, headers={"x-forwarded-for": "203.0.113.7"})
    assert answer.status_code == 401


def test_a_controller_that_is_killed_leaves_the_split_and_comes_back_to_it(stack: RunningStack) -> None:
    assert stack.set_weights(blue=25, green=75).status_code == 200
    before, killed = arms(stack, USERS[:60]), stack.child("podium.controller")
    version = stack.traffic()["version"]
    killed.suspend()  # no control plane for as long as the test needs
    assert arms(stack, USERS[:60]) == before
    killed.kill()
    until("another one is there", lambda: _answers(stack.control + "/readyz"), seconds=30)
    assert stack.child("podium.controller").pid != killed.pid
    assert stack.traffic()["version"] == version
    assert arms(stack, USERS[:60]) == before
    assert stack.set_weights(blue=100).status_code == 200


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def test_a_gateway_that_is_killed_comes_back_with_the_same_split(stack: RunningStack) -> None:
    assert stack.set_weights(blue=25, green=75).status_code == 200
    before, killed = arms(stack, USERS[:60]), stack.child("--disable-hot-restart")
    killed.kill()
    until("another one is there", lambda: _answers(stack.gateway + "/readyz"), seconds=30)
    assert stack.child("--disable-hot-restart").pid != killed.pid
    until("both environments are reached again", lambda: all(stack.ask(arm=arm).is_success for arm in TWO))
    assert arms(stack, USERS[:60]) == before


def resets(connection: socket.socket, _: Received) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    connection.close()


def hangs(connection: socket.socket, _: Received) -> None:
    connection.recv(1)  # until the gateway gives up
    connection.close()


def fails(status: int) -> Callable[[socket.socket, Received], None]:
    def behave(connection: socket.socket, _: Received) -> None:
        reply(connection, status, {}, headers="connection: close\r\n")
        connection.close()  # and with it the thread that serves it

    return behave


FAULTS: dict[str, Callable[[socket.socket, Received], None]] = {
    "500": fails(500),
    "503": fails(503),
    "reset": resets,
    "hang": hangs,
}


@pytest.fixture(scope="module")
def shielded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningStack, ScriptedServer]]:
    """Blue is an echo server; green is healthy and fails every request, in a way that a test chooses."""
    with ScriptedServer(fails(500), keeps_alive=False) as bad:
        green = {"endpoints": [bad.base_url.removesuffix("/v1")]}
        gateway = {
            "environments": {"blue": {"replicas": 1}, "green": green},
            "weights": {"blue": 50, "green": 50},
            "first_byte_seconds": 1.0,
        }
        with running_stack(tmp_path_factory.mktemp("shielded"), gateway=gateway) as running:
            yield running, bad


@pytest.mark.parametrize("fault", FAULTS)
def test_no_client_sees_a_failure_of_the_canary(shielded: tuple[RunningStack, ScriptedServer], fault: str) -> None:
    """40 at a time: more than the three retries that Envoy allows by itself."""
    stack, bad = shielded
    bad.behaviour = FAULTS[fault]
    asked = 40 if fault == "hang" else 160
    before = len(bad.posted)
    with ThreadPoolExecutor(40, thread_name_prefix="client") as clients:
        answers = list(clients.map(lambda _: stack.ask(), range(asked)))
    assert [answer.status_code for answer in answers] == [200] * asked
    ids = {answer.headers["x-request-id"] for answer in answers}
    seen = len(bad.posted) - before
    assert seen > asked / 5

    def of_these(environment: str, number: int) -> list[Attempt] | None:
        found = [one for one in stack.attempts() if one.request_id in ids and one.environment == environment]
        found = [one for one in found if one.attempt == number]
        return found if len(found) == seen else None

    failed = until("every failed attempt is logged", lambda: of_these("green", 1))
    assert all(attempt.failed for attempt in failed)
    until("every second attempt is logged", lambda: of_these("blue", 2))


def test_a_long_body_is_sent_again_too(shielded: tuple[RunningStack, ScriptedServer]) -> None:
    stack, bad = shielded
    bad.behaviour = fails(500)
    before = len(bad.posted)
    long = {**BODY, "user": "x" * 900_000}
    answers = [httpx.post(f"{stack.gateway}/v1/completions", json=long, timeout=30) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(bad.posted) > before


def test_a_pinned_tester_sees_the_failure(shielded: tuple[RunningStack, ScriptedServer]) -> None:
    stack, bad = shielded
    bad.behaviour = fails(500)
    assert stack.ask(arm="green").status_code == 500


class Stream:
    """A streamed completion read in a thread."""

    def __init__(self, stack: RunningStack, tokens: int) -> None:
        self.lines: list[str] = []
        self.ended = False
        body = {**BODY, "prompt": "x" * tokens, "max_tokens": tokens, "stream": True}
        self._thread = threading.Thread(
            target=self._read, args=(f"{stack.gateway}/v1/completions", body), name="stream"
        )
        self._thread.start()
        until("the stream has begun", lambda: self.lines)

    def _read(self, url: str, body: dict[str, Any]) -> None:
        with httpx.stream("POST", url, json=body, timeout=30) as answer:
            self.lines += [line for line in answer.iter_lines() if line.startswith("data: ") and self._note(line)]
        self.ended = True

    def _note(self, line: str) -> bool:
        self.lines.append(line)
        return False

    def text(self) -> str:
        """Everything that came, once it has ended."""
        self._thread.join(30)
        assert self.ended
        assert self.lines[-1] == "data: [DONE]"
        events = [json.loads(line.removeprefix("data: ")) for line in self.lines[:-1]]
        return "".join(event["choices"][0]["text"] for event in events)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_streams_outlive_a_shift_to_nothing_and_the_end_of_the_stack(tmp_path: Path, number: signal.Signals) -> None:
    gateway = {"environments": TWO, "weights": {"green": 100}}
    with running_stack(tmp_path, models=[SLOW], gateway=gateway) as stack:
        stream = Stream(stack, 60)
        assert stack.set_weights(blue=100).status_code == 200
        other = Stream(stack, 60)
        assert stack.stop(number) == 0
        assert (stream.text(), other.text()) == ("x" * 60, "x" * 60)


def test_a_killed_replica_is_not_felt_and_comes_back(tmp_path: Path) -> None:
    with running_stack(tmp_path, gateway={"environments": {"blue": {"replicas": 2}}}) as stack:
        assert _all_healthy(stack)  # what is said to be ready is known to the gateway
        killed = stack.child("serve", "--port", stack.traffic()["environments"]["blue"]["endpoints"][0]["address"][-5:])
        with ThreadPoolExecutor(4, thread_name_prefix="client") as clients:
            answers = [clients.submit(lambda: stack.ask().status_code) for _ in range(50)]
            killed.kill()
            answers += [clients.submit(lambda: stack.ask().status_code) for _ in range(100)]
        said = Counter(answer.result() for answer in answers)
        assert said == {200: 150}, [one for one in stack.attempts() if one.failed]
        until("it is back", lambda: _all_healthy(stack) and len(stack.children()) == 4, seconds=30)
        assert not psutil.pid_exists(killed.pid)


def _all_healthy(stack: RunningStack) -> bool:
    return all(server["healthy"] for server in stack.traffic()["environments"]["blue"]["endpoints"])


def test_a_replica_that_hangs_delays_the_end_but_is_not_left_behind(tmp_path: Path) -> None:
    with running_stack(tmp_path, server={"drain_seconds": 1}, gateway={"drain_seconds": 1}) as stack:
        stack.child("serve").suspend()
        began = time.monotonic()
        assert stack.stop() == 0
        assert time.monotonic() - began < 30
        assert "process killed" in stack.log.read_text()


def test_a_supervisor_that_is_killed_takes_everything_with_it(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        children = stack.children()
        assert len(children) == 3
        folder = stack.run_folder()
        stack.process.kill()
        stack.process.wait(10)
        until("all are gone", lambda: not any(_runs(child) for child in children), seconds=20)
        shutil.rmtree(folder)  # nobody is left to do it


def _runs(child: psutil.Process) -> bool:
    try:
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_taken_port_is_one_line_and_status_2(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = podium("up", "--port", str(port), "--admin-port", "0", cwd=tmp_path)
    assert ended.status == 2
    assert ended.err.splitlines()[-1].startswith(f"error: Cannot listen on 127.0.0.1 port {port}")


def test_a_server_that_refuses_its_configuration_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "podium.yaml").write_text("cache: {store: redis}\n")
    ended = podium("up", "--port", "0", "--admin-port", "0", cwd=tmp_path)
    assert ended.status == 2
    assert "blue-1 did not start: cache.store is 'redis' and redis.url is empty" in ended.err.splitlines()[-1]
    assert "Traceback" not in ended.err


def test_an_envoy_of_another_version_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "envoy"
    other.write_text("#!/bin/sh\necho version 1.36.3\n")
    other.chmod(0o755)
    words = ("up", "--port", "0", "--admin-port", "0")
    ended = podium_with(tmp_path, {"ENVOY_PATH": str(other)}, *words)
    assert ended[0] == 2
    assert "--no-gateway" in ended[1]


def test_a_long_name_of_the_temporary_folder_is_refused(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    status, said = podium_with(tmp_path, {"TMPDIR": str(long)}, "up", "--port", "0", "--admin-port", "0")
    assert status == 2
    assert "set TMPDIR to a shorter one" in said


def podium_with(folder: Path, extra: dict[str, str], *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [*PODIUM, *words], cwd=folder, env=environment(**extra), capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_the_models_of_every_replica_are_those_of_the_configuration(stack: RunningStack) -> None:
    listed = httpx.get(f"{stack.gateway}/v1/models", timeout=10).json()
    assert [model["id"] for model in listed["data"]] == [ECHO["name"]]


def test_an_environment_can_serve_models_of_its_own(tmp_path: Path) -> None:
    """Two checkpoints side by side: the same name, another version; and a name that only one of them knows."""
    newer = [{**ECHO, "version": "2"}, {**ECHO, "name": "other"}]
    gateway = {"environments": {"blue": {"replicas": 1}, "green": {"replicas": 1, "models": newer}}}
    with running_stack(tmp_path, gateway=gateway) as stack:

        def served(arm: str) -> list[str]:
            listed = httpx.get(f"{stack.gateway}/models", headers={"x-podium-arm": arm}, timeout=10).json()
            return [f"{name}@{model['version']}" for name, model in listed["models"].items()]

        assert (served("blue"), served("green")) == (["echo@1"], ["echo@2", "other@1"])
        assert [stack.ask(arm=arm).status_code for arm in ("blue", "green")] == [200, 200]
        assert [stack.ask(arm=arm, model="other").status_code for arm in ("blue", "green")] == [404, 200]
