"""The engine thread of a one-shot model, driven by hand."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from podium.core.errors import EngineError
from podium.core.one_shot import InputIds, Vectors
from podium.engine.batching import Batcher
from podium.engine.interface import EngineFacts
from podium.engine.messages import Abort, Compute, FromWorker, Refused, Shutdown, Step
from podium.engine.one_shot import BatchLimits
from podium.engine.preparation import Command, Prepared

BAD, NAN = 66, 99
LIMITS = BatchLimits(max_inputs=8, max_tokens=4096, delay_seconds=0.0)
FACTS = EngineFacts("fake", "1", "none", "exact", 512, 8, task="embed", dimensions=2)


@dataclass
class Sums:
    """A vector is (sum, length); a batch with a 66 fails, an input with a 99 has a vector that is none."""

    facts: EngineFacts = FACTS
    batches: list[list[tuple[int, ...]]] = field(default_factory=list)

    def compute(self, batch: Sequence[InputIds]) -> Vectors:
        inputs = [ids.token_ids for ids in batch]
        self.batches.append(inputs)
        if any(BAD in token_ids for token_ids in inputs):
            raise EngineError("A 66 is in the batch.")
        rows = [(np.nan if NAN in token_ids else sum(token_ids), len(token_ids)) for token_ids in inputs]
        return np.array(rows, dtype=np.float32)

    def close(self) -> None:
        """Nothing is held."""


def compute(request_id: int, *inputs: tuple[int, ...]) -> Compute:
    return Compute(request_id, tuple(map(InputIds, inputs)))


def serve(*commands: Command) -> tuple[Sums, list[FromWorker]]:
    """What comes of commands that are all there when the thread starts."""
    engine, sent = Sums(), list[FromWorker]()
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
    for command in commands:
        inbox.put(command)
    batcher = Batcher(engine, LIMITS, inbox, sent.append)
    while inbox.qsize() or batcher.unfinished:
        batcher._closing = False
        inbox.put(Shutdown())
        batcher.run()  # ends after one batch, with the shutdown that came before it
    return engine, sent


def answers(sent: list[FromWorker]) -> dict[int, list[list[float]]]:
    steps = [message for message in sent if isinstance(message, Step)]
    return {
        computed.id: np.frombuffer(computed.vectors, dtype="<f4").reshape(-1, 2).tolist()
        for step in steps
        for computed in step.computed
    }


def refusals(sent: list[FromWorker]) -> dict[int, str]:
    steps = [message for message in sent if isinstance(message, Step)]
    return {refused.id: refused.code for step in steps for refused in step.refused}


def test_requests_share_a_batch_and_each_gets_its_own_vectors_in_order() -> None:
    engine, sent = serve(compute(1, (1, 2), (3,)), compute(2, (4, 5, 6)))
    assert engine.batches == [[(1, 2), (3,), (4, 5, 6)]]
    assert answers(sent) == {1: [[3, 2], [3, 1]], 2: [[15, 3]]}


def test_a_request_of_several_lengths_is_answered_when_its_last_batch_is_computed() -> None:
    engine, sent = serve(compute(1, (1,) * 40, (2,), (3,) * 50))
    assert [len(batch) for batch in engine.batches] == [2, 1]
    assert answers(sent) == {1: [[40, 40], [2, 1], [150, 50]]}


def test_an_abandoned_request_is_not_computed() -> None:
    engine, sent = serve(compute(1, (1,)), compute(2, (2,)), Abort(1))
    assert engine.batches == [[(2,)]]
    assert answers(sent) == {2: [[2, 1]]}


def test_a_batch_that_fails_is_tried_again_by_request_so_that_only_the_cause_pays() -> None:
    _, sent = serve(compute(1, (1,)), compute(2, (BAD,), (5,)), compute(3, (3,)))
    assert answers(sent) == {1: [[1, 1]], 3: [[3, 1]]}
    assert refusals(sent) == {2: "engine_error"}


def test_numbers_that_are_none_are_never_given_out() -> None:
    _, sent = serve(compute(1, (1,), (NAN,), (2,)), compute(2, (5,)))
    assert answers(sent) == {2: [[5, 1]]}
    assert refusals(sent) == {1: "engine_error"}


def test_a_request_to_generate_is_refused() -> None:
    prepared = Prepared(request_id=4, sequences=[], prompt_text="")
    _, sent = serve(prepared, compute(1, (1,)))
    assert [(message.id, message.code) for message in sent if isinstance(message, Refused)] == [(4, "unsupported_task")]
