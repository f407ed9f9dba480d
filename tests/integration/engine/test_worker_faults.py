"""What bad luck does to requests: each ends in exactly one way, at once, and the worker comes back."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import time
from typing import Any

import pytest
import uvloop

from podium.core.errors import EngineCrashed, EngineError, EngineStalled, InvalidRequest, ModelLoadError, ModelNotReady
from podium.core.generation import TextPrompt, TokensPrompt
from podium.engine.handle import EngineHandle
from support.engines import echo_handle, running_echo, submit, text_of

LONG = "a rather long prompt that takes a while to repeat " * 4


async def ended(handle: EngineHandle, text: str, **sampling: Any) -> str | Exception:
    """The text or the error of one generation."""
    try:
        return await text_of(submit(handle, text, **sampling))
    except EngineError as error:
        return error


def worker_pid(handle: EngineHandle) -> int:
    assert handle._process is not None
    assert handle._process.pid is not None
    return handle._process.pid


async def until(condition: Any, seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - another process's state has no event here
            await asyncio.sleep(0.01)


def test_a_generation_repeats_the_prompt_and_says_why_it_stopped() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            chunks = [chunk async for chunk in submit(handle, "héllo")]
            assert "".join(chunk.text for chunk in chunks) == "héllo"
            assert [chunk.finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
            assert chunks[-1].finish_reason == "stop"
            assert chunks[0].prompt_tokens == len("héllo".encode())

    uvloop.run(main())


def test_a_killed_worker_ends_begun_streams_with_an_error_within_two_seconds() -> None:
    async def main() -> None:
        async with running_echo(token_interval_seconds=0.02) as handle:
            flight = submit(handle, LONG)
            first = await anext(flight)
            assert first.text
            killed = time.monotonic()
            os.kill(worker_pid(handle), signal.SIGKILL)
            with pytest.raises(EngineCrashed, match="signal 9"):
                await text_of(flight)
            assert time.monotonic() - killed < 2.0
            assert await text_of(submit(handle, "back by itself")) == "back by itself"
            assert handle.counters.restarts == 1

    uvloop.run(main())


def test_a_frozen_worker_ends_begun_streams_with_an_error_within_five_seconds() -> None:
    async def main() -> None:
        async with running_echo(token_interval_seconds=0.02) as handle:
            flight = submit(handle, LONG)
            await anext(flight)
            frozen = time.monotonic()
            os.kill(worker_pid(handle), signal.SIGSTOP)
            with pytest.raises(EngineStalled):
                await text_of(flight)
            assert time.monotonic() - frozen < 5.0
            assert await text_of(submit(handle, "back")) == "back"

    uvloop.run(main())


def test_an_engine_step_that_never_returns_is_found_though_the_process_lives() -> None:
    async def main() -> None:
        async with running_echo(stall_seconds=1.5) as handle:
            outcome = await ended(handle, "fault:hang@3 stuck")
            assert isinstance(outcome, EngineStalled)
            assert await text_of(submit(handle, "free")) == "free"

    uvloop.run(main())


def test_a_slow_step_within_the_stall_limit_is_not_a_stall() -> None:
    async def main() -> None:
        async with running_echo(stall_seconds=10.0) as handle:
            text = "fault:slow@2 patience"
            assert await text_of(submit(handle, text)) == text
            assert handle.counters.restarts == 0

    uvloop.run(main())


def test_requests_that_had_not_begun_are_served_by_the_next_worker() -> None:
    async def main() -> None:
        async with running_echo(token_interval_seconds=0.05, max_batch_sequences=1) as handle:
            running = submit(handle, "fault:crash@3 " + LONG)
            await anext(running)
            waiting = submit(handle, "patient")
            with pytest.raises(EngineCrashed):
                await text_of(running)
            assert await text_of(waiting) == "patient"

    uvloop.run(main())


def test_a_request_that_kills_two_workers_is_not_given_a_third() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            assert isinstance(await ended(handle, "fault:crash@0"), EngineCrashed)
            assert handle.counters.restarts >= 1
            assert await text_of(submit(handle, "healthy")) == "healthy"
            assert handle.counters.restarts == 2

    uvloop.run(main())


def test_one_failing_sequence_leaves_its_neighbours_alone() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            failed, fine = await asyncio.gather(ended(handle, "fault:error@4"), ended(handle, "neighbour"))
            assert isinstance(failed, EngineError)
            assert fine == "neighbour"
            assert handle.counters.restarts == 0

    uvloop.run(main())


def test_closing_a_flight_drops_its_sequence_within_one_step() -> None:
    async def main() -> None:
        async with running_echo(token_interval_seconds=0.05) as handle:
            flight = submit(handle, LONG, max_tokens=900, ignore_eos=True)
            await anext(flight)
            steps = handle.counters.steps
            flight.close()
            await until(lambda: handle.gauges.running == 0, seconds=5.0)
            # One step may be under way when the abort arrives, and one report of it on its way.
            assert handle.counters.steps - steps <= 2

    uvloop.run(main())


def test_every_choice_of_one_request_ends_once() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            chunks = [chunk async for chunk in submit(handle, "abc", n=3)]
            ends = sorted(chunk.index for chunk in chunks if chunk.finish_reason)
            assert ends == [0, 1, 2]

    uvloop.run(main())


def test_errors_found_while_preparing_reach_the_caller_as_what_they_are() -> None:
    async def main() -> None:
        async with running_echo(max_model_len=64) as handle:
            with pytest.raises(InvalidRequest, match="context is 64"):
                await text_of(submit(handle, "x" * 60, max_tokens=10))
            with pytest.raises(InvalidRequest, match="no tokens"):
                await text_of(submit(handle, ""))
            with pytest.raises(InvalidRequest, match="outside the vocabulary"):
                await handle.tokenize(TokensPrompt((999,)), add_special_tokens=True)

    uvloop.run(main())


def test_tokenize_and_detokenize_are_each_other_s_inverse() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            tokens = await handle.tokenize(TextPrompt("päper"), add_special_tokens=True)
            assert bytes(tokens.token_ids).decode() == "päper"
            assert await handle.detokenize(tokens.token_ids) == "päper"

    uvloop.run(main())


def test_a_worker_that_dies_while_loading_is_a_load_error_and_leaves_nothing() -> None:
    async def main() -> None:
        handle = echo_handle(load_seconds=30.0)
        starting = asyncio.gather(handle.start(), return_exceptions=True)
        await until(lambda: handle._process is not None and handle._process.pid is not None)
        await asyncio.sleep(0)
        os.kill(worker_pid(handle), signal.SIGKILL)
        (outcome,) = await starting
        assert isinstance(outcome, ModelLoadError)

    uvloop.run(main())


def test_a_restart_for_which_the_system_has_no_socket_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[object] = []

    def refuse(*arguments: object) -> None:
        refused.append(arguments)
        raise OSError(errno.EMFILE, "Too many open files")

    async def main() -> None:
        async with running_echo() as handle:
            with monkeypatch.context() as patch:
                patch.setattr(socket, "socketpair", refuse)
                os.kill(worker_pid(handle), signal.SIGKILL)
                await until(lambda: refused)
            await until(lambda: handle.state == "ready")
            assert await text_of(submit(handle, "back by itself")) == "back by itself"

    uvloop.run(main())


def test_a_load_that_never_ends_is_ended() -> None:
    async def main() -> None:
        handle = echo_handle(load_seconds=30.0, limit_seconds=0.5)
        with pytest.raises(ModelLoadError, match=r"longer than 0\.5 s"):
            await handle.start()

    uvloop.run(main())


def test_cancelling_a_load_ends_the_worker() -> None:
    async def main() -> None:
        handle = echo_handle(load_seconds=30.0)
        starting = asyncio.gather(handle.start(), return_exceptions=True)
        await until(lambda: handle._process is not None and handle._process.pid is not None)
        pid = worker_pid(handle)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    uvloop.run(main())


def test_closing_the_engine_ends_running_requests_with_an_error() -> None:
    async def main() -> None:
        async with running_echo(token_interval_seconds=0.05) as handle:
            flight = submit(handle, LONG)
            await anext(flight)
        with pytest.raises(ModelNotReady):
            await text_of(flight)

    uvloop.run(main())


def test_a_pause_of_the_server_itself_is_not_taken_for_a_frozen_worker() -> None:
    async def main() -> None:
        async with running_echo() as handle:
            time.sleep(1.5)  # noqa: ASYNC251 - the event loop stands still, as after SIGSTOP and SIGCONT
            await asyncio.sleep(0.3)
            assert handle.counters.restarts == 0
            assert await text_of(submit(handle, "still here")) == "still here"

    uvloop.run(main())


def test_a_silent_worker_that_computes_is_not_taken_for_a_frozen_one() -> None:
    async def main() -> None:
        async with running_echo(heartbeat_seconds=0.05) as handle:  # frozen would be six of them: 0.3 s
            text = "fault:lock@2 busy"
            assert await text_of(submit(handle, text)) == text
            assert handle.counters.restarts == 0

    uvloop.run(main())
