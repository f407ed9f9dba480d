"""The bare engine: openvino-genai's pipeline in a process with nothing else. JSON lines in, JSON lines out.

It does what a program would that embeds the engine: adds requests at their times, steps, reads.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would report to its makers

import numpy as np  # noqa: E402 - the lines above come first
import openvino as ov  # noqa: E402
import openvino_genai as genai  # noqa: E402


def load(folder: str, scheduler: dict[str, Any], properties: dict[str, Any]) -> Any:
    """The pipeline for an IR folder."""
    config = genai.SchedulerConfig()
    for name, value in scheduler.items():
        setattr(config, name, value)
    return genai.ContinuousBatchingPipeline(folder, config, "CPU", properties)


def generation(output_tokens: int) -> Any:
    """Greedy, exactly ``output_tokens`` long."""
    config = genai.GenerationConfig()
    config.max_new_tokens = output_tokens
    config.min_new_tokens = output_tokens
    config.ignore_eos = True
    config.do_sample = False
    return config


class Run:
    """The requests of one run, sorted by their time; results hold seconds since the start."""

    def __init__(self, pipeline: Any, requests: list[dict[str, Any]]) -> None:
        self.results: list[dict[str, Any]] = [{"sent": 0.0, "arrivals": [], "ids": []} for _ in requests]
        self._pipeline = pipeline
        self._requests = requests
        self._active: dict[int, Any] = {}
        self._following = 0
        self._started = time.perf_counter()

    def go(self) -> None:
        """Until every request has ended."""
        while self._following < len(self._requests) or self._active:
            self._add_due()
            if self._active:
                self._pipeline.step()
                self._read()
            else:
                time.sleep(max(0.0, self._requests[self._following]["at"] - self._now()))
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()

    def _now(self) -> float:
        return time.perf_counter() - self._started

    def _add_due(self) -> None:
        now = self._now()
        while self._following < len(self._requests) and self._requests[self._following]["at"] <= now:
            number, request = self._following, self._requests[self._following]
            self.results[number]["sent"] = request["at"]
            tensor = ov.Tensor(np.array([request["ids"]], dtype=np.int64))
            self._active[number] = self._pipeline.add_request(number, tensor, generation(request["output"]))
            self._following += 1

    def _read(self) -> None:
        now = self._now()
        for number, handle in list(self._active.items()):
            while handle.can_read():
                for piece in handle.read().values():
                    self.results[number]["arrivals"].append((now, len(piece.generated_ids)))
                    self.results[number]["ids"] += piece.generated_ids
            if handle.get_status() != genai.GenerationStatus.RUNNING:
                del self._active[number]


def run(pipeline: Any, requests: list[dict[str, Any]], *, with_ids: bool) -> dict[str, Any]:
    """Run the requests and count their tokens."""
    work = Run(pipeline, requests)
    work.go()
    for result in work.results:
        result["count"] = len(result["ids"])
        if not with_ids:
            del result["ids"]
    return {"results": work.results}


def main() -> None:
    """Serve commands until standard input ends."""
    pipeline = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["op"] == "load":
            pipeline = load(command["folder"], command["scheduler"], command["properties"])
            answer: dict[str, Any] = {"version": genai.__version__}
        else:
            answer = run(pipeline, command["requests"], with_ids=command["with_ids"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
