"""The bare engine: openvino-genai's pipeline in a process with nothing else. JSON lines in, JSON lines out.

It does what a program would that embeds the engine: adds requests at their times, steps, reads.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would report to its makers

import numpy as np
import openvino as ov
import openvino_genai as genai


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


def run(pipeline: Any, requests: list[dict[str, Any]], *, with_ids: bool) -> dict[str, Any]:
    """Run the requests, sorted by their time; times in seconds since the start."""
    results: list[dict[str, Any]] = [{"sent": 0.0, "arrivals": [], "ids": []} for _ in requests]
    active: dict[int, Any] = {}
    following = 0
    cpu, started, clock = time.process_time(), time.perf_counter(), time.perf_counter
    while following < len(requests) or active:
        now = clock() - started
        while following < len(requests) and requests[following]["at"] <= now:
            request, results[following]["sent"] = requests[following], requests[following]["at"]
            tensor = ov.Tensor(np.array([request["ids"]], dtype=np.int64))
            active[following] = pipeline.add_request(following, tensor, generation(request["output"]))
            following += 1
        if not active:
            time.sleep(max(0.0, requests[following]["at"] - now))
            continue
        pipeline.step()
        now = clock() - started
        for number, handle in list(active.items()):
            while handle.can_read():
                for piece in handle.read().values():
                    results[number]["arrivals"].append((now, len(piece.generated_ids)))
                    results[number]["ids"] += piece.generated_ids
            if handle.get_status() != genai.GenerationStatus.RUNNING:
                del active[number]
    while pipeline.has_non_finished_requests():
        pipeline.step()
    for result in results:
        result["count"] = len(result["ids"])
        if not with_ids:
            del result["ids"]
    return {"results": results, "cpu_seconds": time.process_time() - cpu}


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
