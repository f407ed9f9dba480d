"""While openvino-genai steps, the other threads of a worker run: heartbeats, reader, tokenizers."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

import podium.models.demo
from podium.config.engine import OpenVINOEngine
from podium.core.generation import SamplingParams
from podium.engine.adapters import openvino
from podium.engine.interface import EngineSequence, LoadContext

DEMO = Path(podium.models.demo.__file__).parent
PROMPT_TOKENS = 480


class Ticker:
    """A thread that counts as often as the interpreter lets it."""

    def __init__(self) -> None:
        self.ticks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticker")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.0005):
            self.ticks += 1


def test_other_threads_run_during_a_step() -> None:
    engine = openvino.load(DEMO, OpenVINOEngine(max_batch_tokens=1024), LoadContext(report=lambda _stage, _ratio: None))
    sequence = EngineSequence(
        id=1,
        token_ids=tuple(range(100, 100 + PROMPT_TOKENS)),
        sampling=SamplingParams(temperature=0.0),
        stop_token_ids=frozenset(),
        max_tokens=1,
    )
    engine.submit(sequence)
    with Ticker() as ticker:
        before = ticker.ticks
        outputs = engine.step()  # the whole prompt: tens of milliseconds
        during = ticker.ticks - before
    engine.close()
    assert [output.finish_reason for output in outputs] == ["length"]
    assert during >= 3, "the step kept the interpreter's lock"
