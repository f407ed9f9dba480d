"""An asyncio loop that runs only inside the engine thread's own calls.

Some engines are asyncio code (vLLM's ``AsyncLLM``, an HTTP client) while ``Engine`` is driven by one
thread. A loop in a second thread would need locks, and both threads would compete for the interpreter
at each token. Here the engine thread runs the loop itself, for the length of a ``step``: one thread, no
locks, and everything that arrived together comes out of one step together.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Coroutine
from typing import Any, TypeVar

from podium.engine.interface import SequenceOutput

T = TypeVar("T")

CANCEL_SECONDS = 0.05  # a cancelled task normally ends within one turn; one that does not is left to the next steps
CLOSE_SECONDS = 5.0


class SteppedLoop:
    """Owns a loop and one task for each sequence. Not thread-safe: one thread calls everything."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._outputs: list[SequenceOutput] = []
        self._stepping = False

    @property
    def busy(self) -> bool:
        """Whether a task runs, a cancelled one still ends, or an output waits to be taken."""
        return bool(self._tasks or self._ending or self._outputs)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` to its end; tasks go on meanwhile."""
        return self._loop.run_until_complete(coroutine)

    def start(self, sequence_id: int, work: Coroutine[Any, Any, None]) -> None:
        """Begin the work for a sequence; it runs during the coming steps.

        The work reports through ``emit`` and handles its own errors; one that escapes it ends the
        sequence with ``engine_error``.
        """
        task = self._loop.create_task(self._guard(sequence_id, work), name=f"sequence-{sequence_id}")
        self._tasks[sequence_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(sequence_id, None))
        task.add_done_callback(lambda _: work.close())  # for a task that was cancelled before its first turn

    def emit(self, output: SequenceOutput) -> None:
        """Hand an output to the present or next step. Called from within the loop."""
        self._outputs.append(output)
        self.interrupt()

    def interrupt(self) -> None:
        """Let the present ``step`` return, with or without output. Called from within the loop."""
        if self._stepping:  # ``run`` must not be stopped before its end
            self._loop.stop()

    def cancel(self, sequence_id: int) -> None:
        """Cancel a sequence's task and drop its outputs. Unknown ids are ignored.

        The task's clean-up has run when this returns, unless it takes longer than ``CANCEL_SECONDS``:
        then it goes on in the coming steps, and ``busy`` stays true until it ends.
        """
        self._outputs = [output for output in self._outputs if output.sequence_id != sequence_id]
        task = self._tasks.pop(sequence_id, None)
        if task is not None:
            self._end(task)
            self.run(asyncio.wait({task}, timeout=CANCEL_SECONDS))

    def step(self, seconds: float | None) -> list[SequenceOutput]:
        """Run the loop until something was emitted, at most ``seconds`` (None: without end)."""
        self._turn(0.0 if self._outputs else seconds)
        outputs, self._outputs = self._outputs, []
        return outputs

    def cancel_all(self) -> None:
        """Cancel every sequence and wait for their clean-up, at most ``CLOSE_SECONDS``."""
        for task in list(self._tasks.values()):
            self._end(task)
        self._tasks.clear()
        self._outputs.clear()
        if self._ending:
            self.run(asyncio.wait(set(self._ending), timeout=CLOSE_SECONDS))

    def close(self) -> None:
        """End everything in the loop, the engine's own tasks too, and close it."""
        self.cancel_all()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self.run(asyncio.wait(left, timeout=CLOSE_SECONDS))
        self.run(self._loop.shutdown_asyncgens())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    def _end(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ended)
        task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._ending.discard(task)
        self.interrupt()

    def _turn(self, seconds: float | None) -> None:
        limit = None
        if seconds == 0.0:
            self._loop.stop()  # one turn without waiting
        elif seconds is not None:
            limit = self._loop.call_later(seconds, self._loop.stop)
        self._stepping = True
        self._loop.run_forever()
        self._stepping = False
        if limit is not None:
            limit.cancel()

    async def _guard(self, sequence_id: int, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:  # noqa: BLE001 - boundary: one request; it must not end without a word
            traceback.print_exc()
            message = "The engine failed while it worked on this request; the worker's log has the reason."
            self.emit(SequenceOutput(sequence_id=sequence_id, error=("engine_error", message)))
