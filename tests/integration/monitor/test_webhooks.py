"""Alerts are delivered over real sockets: once, in order, again when refused, and never at the cost of the rules."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.config.monitor import Webhook
from podium.core.errors import ConfigurationError
from podium.monitor import messages, webhooks
from podium.monitor.alerts import Alert, Episode
from podium.monitor.outbox import Outbox
from podium.monitor.webhooks import Deliveries, Receiver
from support.deadline import soon
from support.scripted_server import Received, ScriptedServer, reply

FIRED = Episode(Alert("HighErrorRate", "page", "m", "firing", 1000.0, "too many", 0.5), fired_at=1000.0)
ENDED = Episode(FIRED.alert, fired_at=1000.0, ended_at=1060.0, end="resolved")


@contextmanager
def listening(*statuses: int) -> Iterator[ScriptedServer]:
    """A receiver that answers with these statuses, the last one for ever."""
    left = list(statuses)

    def behave(connection: socket.socket, _: Received) -> None:
        reply(connection, left.pop(0) if len(left) > 1 else left[0], {})

    with ScriptedServer(behave) as server:
        yield server


def address(server: ScriptedServer) -> str:
    return server.base_url.removesuffix("/v1") + "/hook"


def delivering(*given: Webhook, until: Callable[[Deliveries], Awaitable[Any]]) -> Deliveries:
    """Runs receivers until ``until`` has ended."""

    async def run() -> Deliveries:
        async with httpx.AsyncClient(trust_env=False) as client:
            deliveries = Deliveries([Receiver(one, client, first_pause_seconds=0.01) for one in given])
            async with asyncio.TaskGroup() as group:
                running = group.create_task(deliveries.run(), name="deliveries")
                await until(deliveries)
                running.cancel()
            return deliveries

    return asyncio.run(run())


def both(*, count: Callable[[], int], least: int) -> Callable[[Deliveries], Awaitable[None]]:
    """Tell of an alert that fires and ends, and wait for so many posts."""

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(FIRED)
        deliveries.tell(ENDED)
        await soon("the messages are there", lambda: count() >= least)
        await soon("they are done", lambda: sum(_done(deliveries)) >= 2 * len(deliveries.receivers))

    return tell


def _done(deliveries: Deliveries) -> list[int]:
    return [one.counts.delivered + one.counts.given_up for one in deliveries.receivers]


def test_a_receiver_is_told_of_beginning_and_end_in_order() -> None:
    with listening(200) as server:
        delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=2))
        first, second = server.posted
    assert (first.path, first.body["status"], second.body["status"]) == ("/hook", "firing", "resolved")
    assert first.body["rule"] == "HighErrorRate"
    assert first.body["fingerprint"] == second.body["fingerprint"] == FIRED.alert.fingerprint
    assert first.headers["x-podium-delivery"] != second.headers["x-podium-delivery"]


def test_what_was_told_is_not_told_again() -> None:
    async def tell(deliveries: Deliveries) -> None:
        for episode in (FIRED, FIRED, ENDED, ENDED):
            deliveries.tell(episode)
        await soon("both are delivered", lambda: deliveries.receivers[0].counts.delivered == 2)

    with listening(200) as server:
        delivering(Webhook(url=address(server)), until=tell)
        assert len(server.posted) == 2


def test_a_message_that_is_not_taken_is_sent_again_with_the_same_name() -> None:
    with listening(500, 503, 429, 200) as server:
        done = delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=5))
        names = [post.headers["x-podium-delivery"] for post in server.posted]
    assert len(set(names[:4])) == 1
    assert names[4] != names[3]
    assert done.receivers[0].counts.delivered == 2


@pytest.mark.parametrize("status", [400, 404, 302])
def test_a_refusal_is_final_and_a_redirect_is_not_followed(status: int) -> None:
    with listening(status) as server:
        done = delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=2))
        assert len(server.posted) == 2
    assert done.receivers[0].counts.given_up == 2


def test_a_receiver_that_never_takes_anything_is_given_up_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_ATTEMPTS", 3)
    with listening(500) as server:
        done = delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=6))
    assert done.receivers[0].counts.given_up == 2


def test_a_page_that_still_fires_is_not_given_up_and_lets_others_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_ATTEMPTS", 2)
    other = Episode(replace(FIRED.alert, subject="other"), fired_at=1000.0)

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(FIRED)
        deliveries.tell(other)
        await soon("both are delivered", lambda: deliveries.receivers[0].counts.delivered == 2)

    with listening(500, 500, 500, 500, 500, 200) as server:
        done = delivering(Webhook(url=address(server)), until=tell)
        subjects = [post.body["subject"] for post in server.posted]
    assert subjects == ["m", "m", "other", "other", "m", "m", "other"]
    assert done.receivers[0].counts == webhooks.Counts(delivered=2, postponed=2)


def test_what_has_ended_meanwhile_is_given_up_and_its_end_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MOST_ATTEMPTS", 2)
    with listening(500, 500, 200) as server:
        done = delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=3))
        assert [post.body["status"] for post in server.posted] == ["firing", "firing", "resolved"]
    assert done.receivers[0].counts == webhooks.Counts(delivered=1, given_up=1)


def test_of_an_answer_without_end_nothing_but_its_head_is_read() -> None:
    """It would fill the controller's memory for as long as the timeout lasts, ten times over."""
    sent = 0

    def gush(connection: socket.socket, _: Received) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000000\r\n\r\n")
        while True:  # until the receiver hangs up
            sent += connection.send(b"x" * 65536)

    with ScriptedServer(gush) as server:
        done = delivering(Webhook(url=address(server)), until=both(count=lambda: len(server.posted), least=2))
    assert done.receivers[0].counts.delivered == 2
    assert sent < 64 * 1024 * 1024


def test_an_address_that_no_client_takes_loses_its_messages_and_ends_nothing() -> None:
    """``urlsplit`` takes it, and the configuration with it."""

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(FIRED)
        await soon("it is given up", lambda: deliveries.receivers[0].counts.given_up)

    delivering(Webhook(url="http://[v1.a]/"), until=tell)


def test_alertmanager_is_told_again_in_time_however_much_else_there_is_to_say() -> None:
    """It forgets what it is not told again; a stream of other messages must not let that happen."""

    async def run(server: ScriptedServer) -> None:
        hook = Webhook(url=address(server), kind="alertmanager-api")
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
            receiver = Receiver(hook, client, repeat_seconds=0.1)
            receiver.note(FIRED)
            running = group.create_task(receiver.run(), name="receiver")
            for number in range(200):
                receiver.put(Episode(replace(FIRED.alert, subject=f"{number}"), 1.0, ended_at=2.0, end="resolved"))
                if any(len(post.body) == 1 and post.body[0]["labels"]["subject"] == "m" for post in server.posted):
                    break
                await asyncio.sleep(0.02)
            else:
                raise AssertionError("it was not told again")
            running.cancel()

    with listening(200) as server:
        asyncio.run(run(server))


def test_one_that_hangs_delays_neither_the_rules_nor_the_others() -> None:
    release = threading.Event()

    def hang(connection: socket.socket, _: Received) -> None:
        release.wait(30)
        connection.close()

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(FIRED)  # returns although nobody has answered
        await soon("the other one has it", lambda: deliveries.receivers[1].counts.delivered == 1)
        assert deliveries.receivers[0].counts == webhooks.Counts()
        release.set()

    with ScriptedServer(hang) as hanging, listening(200) as server:
        delivering(Webhook(url=address(hanging)), Webhook(url=address(server)), until=tell)


def test_one_that_hangs_is_let_go_after_its_timeout_and_asked_again() -> None:
    release = threading.Event()

    def hang(connection: socket.socket, _: Received) -> None:
        release.wait(30)
        connection.close()

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(FIRED)
        await soon("it is asked a second time", lambda: len(hanging.posted) > 1)
        release.set()

    with ScriptedServer(hang) as hanging:
        delivering(Webhook(url=address(hanging), timeout_seconds=0.2), until=tell)


def test_what_was_not_taken_when_the_controller_ended_is_sent_by_the_next_one(tmp_path: Path) -> None:
    """With the same name, so that a receiver that took it after all can tell."""
    file = tmp_path / "alerts.jsonl.waiting"

    async def live(server: ScriptedServer, over: Callable[[Receiver], bool], *episodes: Episode) -> None:
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.TaskGroup() as group:
            receiver = Receiver(Webhook(url=address(server)), client, Outbox(file), first_pause_seconds=0.01)
            for episode in episodes:
                receiver.put(episode)
            running = group.create_task(receiver.run(), name="receiver")
            await soon("it has come so far", lambda: over(receiver))
            running.cancel()

    with listening(503) as server:
        asyncio.run(live(server, lambda _: bool(server.posted), FIRED, ENDED))
    assert [episode.ended_at for episode in Outbox(file).waiting(_name_at(file))] == [None, 1060.0]
    with listening(200) as server:
        file.write_bytes(file.read_bytes().replace(_name_at(file).encode(), _name_of(server).encode()))
        asyncio.run(live(server, lambda receiver: receiver.counts.delivered == 2))
        names = [post.headers["x-podium-delivery"] for post in server.posted]
    assert names == [messages.delivery(FIRED), messages.delivery(ENDED)]
    assert file.read_bytes() == b""


def _name_at(file: Path) -> str:
    """The receiver of the first message in an outbox."""
    return str(json.loads(file.read_bytes().splitlines()[0])["receiver"])


def _name_of(server: ScriptedServer) -> str:
    """What an outbox calls a server; it stands in for the one before, at whose port nobody listens any more."""
    return Receiver(Webhook(url=address(server)), httpx.AsyncClient()).name


def test_one_that_says_when_to_come_back_is_not_asked_before() -> None:
    asked: list[float] = []

    async def take(_: httpx.Request) -> httpx.Response:
        asked.append(time.monotonic())
        return httpx.Response(200) if len(asked) > 1 else httpx.Response(429, headers={"retry-after": "1"})

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(take)) as client, asyncio.TaskGroup() as group:
            receiver = Receiver(Webhook(url="http://hook.example/"), client, first_pause_seconds=0.01)
            receiver.put(FIRED)
            running = group.create_task(receiver.run(), name="receiver")
            await soon("it is delivered", lambda: receiver.counts.delivered)
            running.cancel()

    asyncio.run(run())
    assert asked[1] - asked[0] >= 1.0


def test_slacks_shape_has_a_line_and_a_coloured_block_and_mentions_nobody() -> None:
    odd = Episode(Alert("ReplicaDown", "page", "<!channel>", "firing", 1.0, "a & b <https://x|y>", None), fired_at=1.0)
    over = Episode(odd.alert, fired_at=1.0, ended_at=2.0, end="no data")

    async def tell(deliveries: Deliveries) -> None:
        deliveries.tell(odd)
        deliveries.tell(over)
        await soon("both are delivered", lambda: deliveries.receivers[0].counts.delivered == 2)

    with listening(200) as server:
        delivering(Webhook(url=address(server), kind="slack"), until=tell)
        first, second = (post.body for post in server.posted)
    assert first["text"] == "firing: ReplicaDown &lt;!channel&gt;"
    assert second["text"] == "its data ended: ReplicaDown &lt;!channel&gt;"
    (attachment,) = first["attachments"]
    assert attachment["color"] != second["attachments"][0]["color"]
    section, context = attachment["blocks"]
    assert section["text"] == {
        "type": "mrkdwn",
        "text": "*firing: ReplicaDown &lt;!channel&gt;*\na &amp; b &lt;https://x|y&gt;",
    }
    assert "page" in context["elements"][0]["text"]


def test_when_too_many_wait_the_rest_is_dropped_and_counted() -> None:
    async def tell(deliveries: Deliveries) -> None:
        for number in range(webhooks.MOST_WAITING + 5):
            deliveries.receivers[0].put(Episode(FIRED.alert, fired_at=float(number)))
        await asyncio.sleep(0)

    with listening(200) as server:
        done = delivering(Webhook(url=address(server)), until=tell)
    assert done.receivers[0].counts.dropped == 5


def test_a_signature_proves_time_and_body(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef\n")
    seen: list[tuple[dict[str, str], bytes]] = []

    async def take(request: httpx.Request) -> httpx.Response:
        seen.append((dict(request.headers), request.content))
        return httpx.Response(200)

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(take)) as client:
            receiver = Receiver(Webhook(url="http://hook.example/", secret_file=str(secret)), client)
            receiver.put(FIRED)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(receiver.run(), name="receiver")
                await soon("it is delivered", lambda: receiver.counts.delivered)
                running.cancel()

    asyncio.run(run())
    ((headers, body),) = seen
    message = headers["x-podium-timestamp"].encode() + b"." + body
    expected = hmac.new(secret.read_bytes().strip(), message, hashlib.sha256).hexdigest()
    assert headers["x-podium-signature"] == f"sha256={expected}"
    assert abs(int(headers["x-podium-timestamp"]) - time.time()) < 60


@pytest.mark.parametrize("content", [None, b"", b"short\n"])
def test_without_a_usable_secret_the_program_does_not_start(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="secret_file"):
        Receiver(Webhook(url="http://hook.example/", secret_file=str(file)), httpx.AsyncClient())


def test_alertmanagers_shape_is_version_4() -> None:
    hook = None
    with listening(200) as server:
        hook = Webhook(url=address(server), kind="alertmanager")
        delivering(hook, until=both(count=lambda: len(server.posted), least=2))
        first, second = (post.body for post in server.posted)
    assert set(first) == {
        "version", "groupKey", "truncatedAlerts", "status", "receiver", "groupLabels", "commonLabels",
        "commonAnnotations", "externalURL", "alerts",
    }  # fmt: skip
    assert first["version"] == "4"
    (alert,) = first["alerts"]
    assert alert["labels"] == {"alertname": "HighErrorRate", "subject": "m", "severity": "page"}
    assert alert["startsAt"] == "1970-01-01T00:16:40.000Z"
    assert alert["endsAt"] == "0001-01-01T00:00:00Z"
    assert second["alerts"][0]["endsAt"] == "1970-01-01T00:17:40.000Z"
    assert json.dumps(second["status"]) == '"resolved"'
