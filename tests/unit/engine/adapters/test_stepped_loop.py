"""A loop that runs only while the engine thread is in a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from podium.engine.adapters.stepped_loop import SteppedLoop
from podium.engine.interface import SequenceOutput


@pytest.fixture
def loop() -> Iterator[SteppedLoop]:
    stepped = SteppedLoop()
    yield stepped
    stepped.close()


async def _emit(loop: SteppedLoop, sequence_id: int, count: int) -> None:
    for number in range(count):
        loop.emit(SequenceOutput(sequence_id, token_ids=(number,)))
        await asyncio.sleep(0)


async def _wait_for_ever(cleaned: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cleaned.append("cleaned")


def test_a_step_returns_what_all_sequences_emitted_in_one_turn(loop: SteppedLoop) -> None:
    for sequence_id in (1, 2, 3):
        loop.start(sequence_id, _emit(loop, sequence_id, 2))
    assert [output.sequence_id for output in loop.step(1.0)] == [1, 2, 3]
    assert [output.token_ids for output in loop.step(1.0)] == [(1,), (1,), (1,)]


def test_a_step_without_output_returns_after_its_time(loop: SteppedLoop) -> None:
    loop.start(1, _wait_for_ever([]))
    started = time.monotonic()
    assert loop.step(0.02) == []
    assert 0.02 <= time.monotonic() - started < 1.0


def test_a_step_without_limit_waits_until_interrupted(loop: SteppedLoop) -> None:
    async def interrupt_later() -> None:
        await asyncio.sleep(0.02)
        loop.interrupt()
        await asyncio.Event().wait()

    loop.start(1, interrupt_later())
    assert loop.step(None) == []
    assert loop.busy


def test_cancelling_runs_the_clean_up_and_drops_the_outputs(loop: SteppedLoop) -> None:
    cleaned: list[str] = []

    async def emit_and_wait() -> None:
        loop.emit(SequenceOutput(1))
        await _wait_for_ever(cleaned)

    loop.start(1, emit_and_wait())
    loop.start(2, _wait_for_ever([]))
    loop.cancel(2)  # lets the first one run up to its waiting, with an output not yet taken
    loop.cancel(1)
    assert cleaned == ["cleaned"]
    assert not loop.busy


def test_a_slow_clean_up_keeps_the_loop_busy_until_it_ends(loop: SteppedLoop) -> None:
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.1)

    loop.start(1, slow())
    loop.step(0.0)
    loop.step(0.001)
    loop.cancel(1)
    assert loop.busy
    loop.step(1.0)
    assert not loop.busy


def test_an_escaped_error_ends_its_sequence_and_no_other(loop: SteppedLoop, capsys: pytest.CaptureFixture[str]) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    loop.start(1, fail())
    loop.start(2, _emit(loop, 2, 1))
    outputs = {output.sequence_id: output for output in loop.step(1.0)}
    assert outputs[1].error is not None
    assert outputs[1].error[0] == "engine_error"
    assert outputs[2].error is None
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_outputs_that_come_while_something_else_runs_are_kept_and_the_next_step_does_not_wait(
    loop: SteppedLoop,
) -> None:
    loop.start(1, _emit(loop, 1, 1))
    loop.start(2, _wait_for_ever([]))
    loop.run(asyncio.sleep(0.01))
    started = time.monotonic()
    assert [output.sequence_id for output in loop.step(1.5)] == [1]
    assert time.monotonic() - started < 1.0


def test_unknown_ids_are_ignored(loop: SteppedLoop) -> None:
    loop.cancel(99)
    assert not loop.busy
