"""A computation and its readers: everyone gets everything, once, and what it held is given back once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from podium.core.errors import EngineCrashed, PodiumError
from podium.core.generation import Chunk
from podium.models.computation import Computation, Provenance, Reader, Run
from podium.models.running import Running

PROVENANCE = Provenance(model="m", version="1", engine="fake", created_unix_seconds=0)
WORDS = ("a", "b", "c", "d")


def chunks(words: Sequence[str] = WORDS) -> list[Chunk]:
    last = len(words) - 1
    return [
        Chunk(0, word, token_count=1, prompt_tokens=3, finish_reason="stop" if number == last else None)
        for number, word in enumerate(words)
    ]


class Engine:
    """A flight whose chunks come when the test says so."""

    def __init__(self) -> None:
        self.ready: list[Chunk] = []
        self.error: PodiumError | None = None
        self.closed = 0
        self._came = asyncio.Event()

    def make(self, *made: Chunk) -> None:
        self.ready.extend(made)
        self._came.set()

    def fail(self, error: PodiumError) -> None:
        self.error = error
        self._came.set()

    async def __anext__(self) -> Chunk:
        while not self.ready:
            if self.error is not None:
                raise self.error
            if self.closed:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        return self.ready.pop(0)

    def take_ready(self) -> Chunk | None:
        return self.ready.pop(0) if self.ready else None

    def close(self) -> None:
        self.closed += 1
        self._came.set()


@dataclass
class Books:
    """A permit, a lease and a held model in one: writes down what is given back."""

    standings: tuple[()] = ()
    released: list[int] = field(default_factory=list)
    settled: list[tuple[int, int]] = field(default_factory=list)
    noted: list[tuple[int, int]] = field(default_factory=list)
    models: int = 0
    ended: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self, used_tokens: int) -> None:
        self.released.append(used_tokens)

    def note(self, prompt_tokens: int, output_tokens: int) -> None:
        self.noted.append((prompt_tokens, output_tokens))

    def settle(self, prompt_tokens: int, output_tokens: int) -> None:
        self.settled.append((prompt_tokens, output_tokens))

    def release_model(self) -> None:
        self.models += 1

    def on_end(self, _: Computation) -> None:
        self.ended += 1
        self.over.set()

    def balanced(self, prompt_tokens: int, output_tokens: int) -> bool:
        """Whether everything was given back exactly once, for that many tokens."""
        given_back = (self.released, self.settled, self.models, self.ended)
        return given_back == ([prompt_tokens + output_tokens], [(prompt_tokens, output_tokens)], 1, 1)


def begun(*, log: bool = True) -> tuple[Computation, Engine, Books]:
    engine, books = Engine(), Books()
    computation = Computation(choices=1, log=log, on_end=books.on_end)
    computation.begin(Run(PROVENANCE, engine, books, books, books.release_model))
    return computation, engine, books


async def next_text(reader: Reader) -> str:
    ready = reader.take_ready()
    return (await reader.__anext__() if ready is None else ready).text


async def read(reader: Reader) -> list[str]:
    said = []
    try:
        while True:
            said.append(await next_text(reader))
    except StopAsyncIteration:
        return said
    finally:
        reader.close()


def test_every_reader_gets_every_chunk_from_the_first_on_however_late_it_comes() -> None:
    async def main() -> None:
        computation, engine, books = begun()
        early = asyncio.gather(*(read(computation.reader()) for _ in range(3)))
        for chunk in chunks():
            engine.make(chunk)
            await asyncio.sleep(0)
        late = read(computation.reader())
        assert await early == [list(WORDS)] * 3
        assert await late == list(WORDS)
        assert books.balanced(3, 4)

    uvloop.run(main())


@given(turns=st.lists(st.integers(0, 3), max_size=60))
def test_no_order_of_readers_loses_or_doubles_a_chunk(turns: list[int]) -> None:
    """Turn 0 makes the next chunk; others let one of three readers take one step, ready or waiting."""

    async def main() -> None:
        computation, engine, books = begun()
        todo = chunks()
        readers = [computation.reader() for _ in range(3)]
        said: list[list[str]] = [[], [], []]
        waiting: dict[int, asyncio.Task[Chunk]] = {}
        for turn in turns:
            if turn == 0:
                engine.make(*todo[:1])
                del todo[:1]
            elif turn - 1 in waiting and waiting[turn - 1].done():
                said[turn - 1].append(waiting.pop(turn - 1).result().text)
            elif turn - 1 not in waiting and len(said[turn - 1]) < len(WORDS):
                chunk = readers[turn - 1].take_ready()
                if chunk is None:
                    waiting[turn - 1] = asyncio.get_running_loop().create_task(readers[turn - 1].__anext__())
                else:
                    said[turn - 1].append(chunk.text)
            await asyncio.sleep(0)
        engine.make(*todo)
        for number, task in waiting.items():
            said[number].append((await task).text)
        for number, reader in enumerate(readers):
            said[number] += await read(reader)
        assert said == [list(WORDS)] * 3
        assert books.balanced(3, 4)

    uvloop.run(main())


def test_a_reader_that_does_not_read_holds_up_nobody() -> None:
    async def main() -> None:
        computation, engine, books = begun()
        idle = computation.reader()
        engine.make(*chunks())
        assert await read(computation.reader()) == list(WORDS)
        assert books.balanced(3, 4)
        assert await read(idle) == list(WORDS)

    uvloop.run(main())


def test_a_reader_that_looks_for_ready_chunks_does_not_make_the_waiting_one_wait_longer() -> None:
    async def main() -> None:
        computation, engine, _ = begun()
        first, second = computation.reader(), computation.reader()
        waiting = asyncio.get_running_loop().create_task(first.__anext__())
        await asyncio.sleep(0)
        engine.make(chunks()[0])
        assert second.take_ready() is None
        assert (await waiting).text == "a"
        assert (await anext(second)).text == "a"

    uvloop.run(main())


def test_a_reader_that_is_cancelled_while_it_waits_for_all_costs_no_chunk() -> None:
    async def main() -> None:
        computation, engine, _ = begun()
        first, second = computation.reader(), computation.reader()
        pulling = asyncio.get_running_loop().create_task(read(first))
        await asyncio.sleep(0)
        other = asyncio.get_running_loop().create_task(read(second))
        await asyncio.sleep(0)
        pulling.cancel()
        await asyncio.sleep(0)
        engine.make(*chunks())
        assert await other == list(WORDS)

    uvloop.run(main())


def test_the_run_is_aborted_when_its_last_reader_leaves_and_not_before() -> None:
    async def main() -> None:
        computation, engine, books = begun()
        first, second = computation.reader(), computation.reader()
        engine.make(*chunks()[:2])
        assert (await anext(first)).text == "a"
        first.close()
        first.close()
        assert engine.closed == 0
        assert (await anext(second)).text == "a"
        second.close()
        assert engine.closed == 1
        assert books.balanced(3, 1)
        assert not computation.complete

    uvloop.run(main())


def test_an_error_reaches_every_reader_after_the_chunks_that_came_before_it() -> None:
    async def main() -> None:
        computation, engine, books = begun()
        engine.make(*chunks()[:2])
        engine.fail(EngineCrashed("gone"))
        for _ in range(2):
            reader = computation.reader()
            assert [(await anext(reader)).text for _ in range(2)] == ["a", "b"]
            with pytest.raises(EngineCrashed):
                await anext(reader)
        assert books.balanced(3, 2)

    uvloop.run(main())


def test_progress_is_noted_with_every_chunk() -> None:
    async def main() -> None:
        computation, engine, books = begun(log=False)
        engine.make(*chunks())
        assert await read(computation.reader()) == list(WORDS)
        assert books.noted == [(3, 1), (3, 2), (3, 3), (3, 4)]
        assert computation.chunks == []

    uvloop.run(main())


def test_who_waits_for_a_start_that_fails_is_told_and_leaves_nothing_behind() -> None:
    async def main() -> None:
        books = Books()
        computation = Computation(choices=1, log=True, on_end=books.on_end)
        computation.reader().close()  # one that gave up early changes nothing: the start is its leader's
        assert not computation.ended
        reader = computation.reader()
        waiting = asyncio.get_running_loop().create_task(computation.decided())
        await asyncio.sleep(0)
        assert not waiting.done()
        computation.stop()
        await waiting
        assert computation.run is None
        reader.close()
        assert books.ended == 1

    uvloop.run(main())


def test_a_computation_that_a_retry_may_join_goes_on_without_readers_for_its_time_only() -> None:
    async def main() -> None:
        running = Running()
        for seconds, whole in ((30.0, True), (0.05, False)):
            computation, engine, books = begun()
            computation.on_detached = partial(running.keep_going, seconds=seconds)
            computation.reader().close()
            assert books.ended == 0
            if whole:
                await asyncio.sleep(0)
                engine.make(*chunks())
            async with asyncio.timeout(5):
                await books.over.wait()
            assert computation.complete is whole
            assert books.balanced(*((3, 4) if whole else (0, 0)))
        await running.aclose()

    uvloop.run(main())


def test_closing_ends_what_goes_on_without_readers() -> None:
    async def main() -> None:
        running = Running()
        computation, _, books = begun()
        computation.on_detached = lambda left: running.keep_going(left, 60.0)
        computation.reader().close()
        await asyncio.sleep(0)
        await running.aclose()
        assert computation.ended
        assert books.balanced(0, 0)

    uvloop.run(main())
