"""The remote engine against a server of our own that misbehaves on request."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podium.config.engine import RemoteEngine
from podium.core.errors import ModelLoadError
from podium.core.generation import ChatPrompt, Message, Prompt, SamplingParams, TextPrompt, TokensPrompt
from podium.engine.adapters.remote import Remote, load
from podium.engine.interface import EngineSequence, LoadContext, SequenceOutput
from support.deadline import until
from support.scripted_server import Behaviour, Received, ScriptedServer, begin_stream, end_stream, event, reply, send

HELLO = ChatPrompt(messages=(Message(role="user", content="Hello"),))
USAGE = {
    "choices": [],
    "usage": {"prompt_tokens": 7, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
}
DONE = b"data: [DONE]\n\n"


def delta(content: str | None = None, **choice: Any) -> dict[str, Any]:
    """A chat frame."""
    return {"choices": [{"index": 0, "delta": {} if content is None else {"content": content}, **choice}]}


def text(content: str, **choice: Any) -> dict[str, Any]:
    """A completion frame."""
    return {"choices": [{"index": 0, "text": content, **choice}]}


def streams(*batches: list[Any]) -> Behaviour:
    """Answer with these batches of frames, each batch in one write, and a proper end."""

    def behave(connection: socket.socket, _: Received) -> None:
        begin_stream(connection)
        for batch in batches:
            send(connection, *batch)
        end_stream(connection)

    return behave


def cut_after(*frames: Any) -> Behaviour:
    """Answer with these frames and close the connection in the middle of the HTTP answer."""

    def behave(connection: socket.socket, _: Received) -> None:
        begin_stream(connection)
        send(connection, *frames)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


WHOLE = streams([delta("Good", role="assistant"), delta(" day")], [delta(finish_reason="stop"), USAGE, DONE])


@contextlib.contextmanager
def remote(server: ScriptedServer, **settings: Any) -> Iterator[Remote]:
    """The engine, in front of ``server``."""
    engine = load(Path(), RemoteEngine(base_url=server.base_url, **settings), LoadContext(report=lambda *_: None))
    try:
        yield engine
    finally:
        engine.close()


def sequence(number: int = 1, prompt: Prompt = HELLO, **sampling: Any) -> EngineSequence:
    """A sequence as the worker makes it for a text engine."""
    params = SamplingParams(**sampling)
    token_ids = prompt.token_ids if isinstance(prompt, TokensPrompt) else ()
    return EngineSequence(
        id=number,
        token_ids=token_ids,
        sampling=params,
        stop_token_ids=frozenset(),
        max_tokens=params.max_tokens or 16,
        prompt=None if isinstance(prompt, TokensPrompt) else prompt,
    )


def finish(engine: Remote, *sequences: EngineSequence) -> dict[int, list[SequenceOutput]]:
    """Submit, and step until nothing is left."""
    outputs: dict[int, list[SequenceOutput]] = defaultdict(list)
    for each in sequences:
        engine.submit(each)

    def step() -> bool:
        for output in engine.step():
            outputs[output.sequence_id].append(output)
        return not engine.has_unfinished()

    until("the engine is idle", step, seconds=8)
    return outputs


def answer_of(behaviour: Behaviour, wanted: EngineSequence | None = None, **settings: Any) -> list[SequenceOutput]:
    """The outputs of one sequence when the server behaves like this."""
    with ScriptedServer(behaviour) as server, remote(server, **settings) as engine:
        return finish(engine, wanted or sequence())[1]


def error_of(behaviour: Behaviour, **settings: Any) -> tuple[str, str]:
    """The error that ends the sequence when the server behaves like this; nothing may look like a whole answer."""
    outputs = answer_of(behaviour, **settings)
    assert all(output.finish_reason is None for output in outputs)
    error = outputs[-1].error
    assert error is not None
    return error


# Whole answers


def test_text_arrives_piece_by_piece_and_the_finish_reason_comes_last() -> None:
    outputs = answer_of(WHOLE)
    assert [output.text for output in outputs] == ["Good", " day", ""]
    assert [output.finish_reason for output in outputs] == [None, None, "stop"]


def test_the_servers_usage_corrects_the_count_of_pieces() -> None:
    outputs = answer_of(WHOLE)
    assert [output.token_count for output in outputs] == [1, 1, 3]
    assert (outputs[-1].prompt_tokens, outputs[-1].cached_tokens) == (7, 4)


def test_without_usage_each_piece_counts_as_one_token() -> None:
    outputs = answer_of(streams([delta("a"), delta("b"), delta(finish_reason="length"), DONE]))
    assert sum(output.token_count for output in outputs) == 2
    assert outputs[-1].finish_reason == "length"


def test_running_usage_gives_each_piece_its_exact_count() -> None:
    frames = [delta("abc") | {"usage": {"completion_tokens": 3}}, delta("d") | {"usage": {"completion_tokens": 4}}]
    outputs = answer_of(streams([*frames, delta(finish_reason="stop"), DONE]))
    assert [output.token_count for output in outputs] == [3, 1, 0]


def test_a_frame_with_only_the_role_is_no_piece() -> None:
    outputs = answer_of(streams([delta(role="assistant")], [delta("")], [delta("a", finish_reason="stop"), DONE]))
    assert [output.text for output in outputs] == ["a", ""]


def test_completion_frames_are_read_too() -> None:
    behaviour = streams([text("Good"), text(" day", finish_reason="length"), DONE])
    outputs = answer_of(behaviour, sequence(prompt=TextPrompt("Hi")))
    assert "".join(output.text or "" for output in outputs) == "Good day"


def test_chat_log_probabilities_keep_their_order_and_count_the_tokens() -> None:
    content = [
        {
            "token": "a",
            "logprob": -0.5,
            "top_logprobs": [{"token": "b", "logprob": -0.9}, {"token": "a", "logprob": -0.5}],
        },
        {"token": "c", "logprob": -1.0, "top_logprobs": []},
    ]
    frame = delta("ac", logprobs={"content": content})
    first = answer_of(streams([frame, delta(finish_reason="stop"), DONE]), sequence(logprobs=2))[0]
    assert first.token_count == 2
    assert first.text_logprobs is not None
    assert [(entry.token, entry.logprob) for entry in first.text_logprobs] == [("a", -0.5), ("c", -1.0)]
    assert first.text_logprobs[0].top == ((-1, "a", -0.5), (-1, "b", -0.9))


def test_completion_log_probabilities_may_begin_with_an_echoed_token_without_one() -> None:
    logprobs = {"tokens": ["H", "i"], "token_logprobs": [None, -0.25], "top_logprobs": [None, {"i": -0.25}]}
    frame = text("Hi", logprobs=logprobs)
    prompt = TextPrompt("H")
    behaviour = streams([frame, text("", finish_reason="length"), DONE])
    first = answer_of(behaviour, sequence(prompt=prompt, logprobs=1, echo=True))[0]
    assert first.text_logprobs is not None
    assert [entry.logprob for entry in first.text_logprobs] == [None, -0.25]
    assert first.text_logprobs[1].top == ((-1, "i", -0.25),)


def test_a_connection_is_used_again() -> None:
    with ScriptedServer(WHOLE) as server, remote(server) as engine:
        for number in range(3):
            finish(engine, sequence(number))
        assert len(server.posted) == 3
        assert server.connections == 1


def test_requests_beyond_the_limit_wait() -> None:
    release = threading.Event()

    def hold(connection: socket.socket, request: Received) -> None:
        release.wait(5)
        WHOLE(connection, request)

    with ScriptedServer(hold) as server, remote(server, max_batch_sequences=2) as engine:
        for number in range(5):
            engine.submit(sequence(number))
        until("two are at the server", lambda: engine.step() or len(server.posted) == 2)
        assert (engine.gauges().running, engine.gauges().waiting) == (2, 3)
        release.set()
        outputs = finish(engine)
        assert sum(output.finish_reason == "stop" for found in outputs.values() for output in found) == 5
        assert (engine.gauges().running, engine.gauges().waiting) == (0, 0)


# Broken answers never look whole


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(cut_after(delta("a")), id="connection cut"),
        pytest.param(cut_after(delta("a"), delta(finish_reason="stop")), id="cut before [DONE]"),
        pytest.param(streams([delta("a"), delta(finish_reason="stop")]), id="clean end without [DONE]"),
        pytest.param(streams([delta("a"), DONE]), id="[DONE] without finish reason"),
        pytest.param(streams([]), id="empty stream"),
        pytest.param(streams([delta("a"), b'data: {"choices": [\n\n', DONE]), id="wrong JSON"),
        pytest.param(streams([delta("a"), {"choices": [{"delta": {"content": 7}}]}, DONE]), id="wrong types"),
        pytest.param(streams([b"data: \xff\xfe\n\n", DONE]), id="no UTF-8"),
        pytest.param(streams([delta("a"), {"error": {"message": "boom"}}, DONE]), id="error frame"),
        pytest.param(
            streams([delta(finish_reason="stop"), b"event: error\ndata: {}\n\n", DONE]), id="event named error"
        ),
        pytest.param(streams([delta("a", finish_reason="content_filter"), DONE]), id="filtered"),
        pytest.param(streams([delta(finish_reason="stop"), delta("more"), DONE]), id="text after the end"),
        pytest.param(streams([b"data: " + b"x" * (2 * 1024**2)]), id="line too long"),
        pytest.param(
            lambda connection, _: reply(connection, 200, event(delta(finish_reason="stop")) + DONE),
            id="no event stream",
        ),
        pytest.param(lambda connection, _: reply(connection, 500, b"<html>"), id="status 500"),
        pytest.param(
            lambda connection, _: reply(connection, 307, {}, headers="location: http://127.0.0.1:9/\r\n"), id="redirect"
        ),
        pytest.param(lambda connection, _: reply(connection, 401, {"error": {"message": "key sk-1"}}), id="status 401"),
        pytest.param(lambda connection, _: connection.shutdown(socket.SHUT_RDWR), id="closed without an answer"),
        pytest.param(lambda connection, _: connection.sendall(b"SSH-2.0-x\r\n\r\n"), id="no HTTP"),
    ],
)
def test_a_broken_answer_is_an_engine_error(behaviour: Behaviour) -> None:
    code, message = error_of(behaviour, timeout_seconds=3)
    assert code == "engine_error"
    assert message.startswith("The remote server")  # foreseen, not caught by the boundary of last resort


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "invalid_request"),
        (422, "invalid_request"),
        (429, "overloaded"),
        (503, "overloaded"),
        (504, "deadline_exceeded"),
    ],
)
def test_a_status_has_its_error(status: int, code: str) -> None:
    assert error_of(lambda connection, _: reply(connection, status, {}))[0] == code


def test_a_refusal_repeats_the_servers_short_message() -> None:
    body = {"error": {"message": "temperature is too high", "type": "x"}}
    assert "It says: temperature is too high" in error_of(lambda connection, _: reply(connection, 400, body))[1]


@pytest.mark.parametrize("message", ["x" * 300, "two\nlines", "\x1b[31mred", 7, ""])
def test_a_long_or_unprintable_message_is_not_repeated(message: Any) -> None:
    found = error_of(lambda connection, _: reply(connection, 400, {"error": {"message": message}}))[1]
    assert found == "The remote server refused the request (status 400)."


def _silent(connection: socket.socket, _: Received) -> None:
    connection.recv(1)


def _silent_after_a_piece(connection: socket.socket, _: Received) -> None:
    begin_stream(connection)
    send(connection, delta("a"))
    connection.recv(1)


def _trickle(first: bytes, drop: bytes) -> Behaviour:
    def behave(connection: socket.socket, _: Received) -> None:
        connection.sendall(first)
        stop = threading.Event()
        while not stop.wait(0.05):
            connection.sendall(drop)

    return behave


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(_silent, id="no answer"),
        pytest.param(_silent_after_a_piece, id="silent within the stream"),
        pytest.param(_trickle(HEAD, b"x"), id="headers that never end"),
        pytest.param(_trickle(HEAD + b"\r\n", b"x"), id="a line that never ends"),
    ],
)
def test_silence_longer_than_the_limit_is_a_deadline_exceeded(behaviour: Behaviour) -> None:
    started = time.monotonic()
    assert error_of(behaviour, timeout_seconds=0.4)[0] == "deadline_exceeded"
    assert time.monotonic() - started < 3


def test_comments_are_a_sign_of_life() -> None:
    def slow(connection: socket.socket, request: Received) -> None:
        begin_stream(connection)
        for _ in range(8):
            send(connection, b": working\n\n")
            threading.Event().wait(0.1)
        send(connection, delta("a", finish_reason="stop"), DONE)
        end_stream(connection)
        del request

    assert answer_of(slow, timeout_seconds=0.4)[-1].finish_reason == "stop"


def test_a_server_that_went_away_is_unavailable() -> None:
    with contextlib.ExitStack() as stack:
        with ScriptedServer(WHOLE) as server:
            engine = stack.enter_context(remote(server))
        assert finish(engine, sequence())[1][-1].error is not None
        error = finish(engine, sequence())[1][-1].error
        assert error is not None
        assert error[0] == "unavailable"


# Aborting


def test_aborting_closes_the_connection_at_once() -> None:
    with ScriptedServer(lambda *_: None) as server:

        def endless(connection: socket.socket, _: Received) -> None:
            begin_stream(connection)
            send(connection, delta("a"))
            server.wait_hung_up(connection)

        server.behaviour = endless
        with remote(server) as engine:
            engine.submit(sequence())
            until("the first piece is there", engine.step)
            engine.abort(1)
            assert not engine.has_unfinished()
            assert server.hung_up.wait(2)
            assert engine.gauges().running == 0


def test_aborting_amid_a_tls_handshake_closes_the_connection_too() -> None:
    """A server that accepts and never greets: every client that gives up would leave a descriptor behind."""
    with ScriptedServer(WHOLE) as server, remote(server) as engine, socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(5)
        engine._client.base_url = f"https://127.0.0.1:{silent.getsockname()[1]}/v1"
        for number in range(3):
            engine.submit(sequence(number))
            _step_until_readable(engine, silent)
            with silent.accept()[0] as connection:
                connection.settimeout(5)
                _step_until_readable(engine, connection)
                engine.abort(number)
                assert connection.makefile("rb").read().startswith(b"\x16"), "a TLS greeting, and then the end"


def _step_until_readable(engine: Remote, readable: socket.socket) -> None:
    until("something arrives", lambda: engine.step() == [] and select.select([readable], [], [], 0)[0])


def test_aborting_a_waiting_request_never_sends_it() -> None:
    with ScriptedServer(_silent_after_a_piece) as server, remote(server, max_batch_sequences=1) as engine:
        engine.submit(sequence(1))
        engine.submit(sequence(2))
        until("the first piece is there", engine.step)
        engine.abort(2)
        engine.abort(1)
        assert not engine.has_unfinished()
        assert len(server.posted) == 1


# Loading


def test_the_first_listed_model_is_taken_when_none_is_named() -> None:
    with ScriptedServer(WHOLE) as server, remote(server) as engine:
        finish(engine, sequence())
        assert server.posted[0].body["model"] == "far-model"


def test_the_shorter_context_of_settings_and_server_holds() -> None:
    models = {"data": [{"id": "m", "max_model_len": 2048}]}
    with ScriptedServer(WHOLE, models=models) as server:
        with remote(server) as engine:
            assert engine.facts.max_model_len == 2048
        with remote(server, max_model_len=1024) as engine:
            assert engine.facts.max_model_len == 1024


def test_parameters_that_only_some_servers_know_are_unsupported_unless_the_server_is_one_of_them() -> None:
    with ScriptedServer(WHOLE) as server, remote(server) as engine:
        assert {"top_k", "min_p", "repetition_penalty", "min_tokens", "ignore_eos"} <= engine.facts.unsupported.keys()
    with ScriptedServer(WHOLE, models={"data": [{"id": "m", "owned_by": "vllm"}]}) as server, remote(server) as engine:
        assert engine.facts.unsupported == {}


@pytest.mark.parametrize(
    ("models", "settings"),
    [
        ({"data": []}, {}),
        ({"data": [{"id": "other"}]}, {"model": "wanted"}),
        ({"unexpected": 1}, {}),
        (b"<html>", {}),
    ],
)
def test_loading_fails_when_the_server_does_not_list_the_model(models: Any, settings: dict[str, str]) -> None:
    with (
        ScriptedServer(WHOLE, models=models) as server,
        pytest.raises(ModelLoadError, match=r"remote server"),
        remote(server, **settings),
    ):
        pytest.fail("must not load")


def test_loading_fails_when_nobody_listens() -> None:
    with ScriptedServer(WHOLE) as server:
        pass
    with pytest.raises(ModelLoadError, match="cannot be reached"), remote(server):
        pytest.fail("must not load")


@pytest.mark.parametrize("base_url", ["ftp://host/v1", "no address", "http://"])
def test_loading_fails_without_a_web_address(base_url: str) -> None:
    with pytest.raises(ModelLoadError, match="base_url"):
        load(Path(), RemoteEngine(base_url=base_url), LoadContext(report=lambda *_: None))


def test_the_key_comes_from_its_file_and_goes_into_the_header(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-far\n")
    with ScriptedServer(WHOLE) as server, remote(server, api_key_file=str(tmp_path / "key")) as engine:
        finish(engine, sequence())
        assert {request.headers.get("authorization") for request in server.requests} == {"Bearer sk-far"}


@pytest.mark.parametrize("content", [None, "", "two words", "nön-ascii"])
def test_a_key_file_without_one_plain_key_is_refused_without_repeating_it(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with (
        ScriptedServer(WHOLE) as server,
        pytest.raises(ModelLoadError, match="api_key_file") as caught,
        remote(server, api_key_file=str(tmp_path / "key")),
    ):
        pytest.fail("must not load")
    assert str(tmp_path) not in caught.value.message


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert answer_of(WHOLE)[-1].finish_reason == "stop"
