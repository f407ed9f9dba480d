"""The bare engine as a peer: ``bare.py`` in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.serving.machine import OURSELVES, CpuMeter
from benchmarks.serving.surroundings import Answer, Surroundings
from benchmarks.serving.timings import Timed
from benchmarks.serving.workloads import Request


class BarePeer:
    """openvino-genai in a process of its own, driven over pipes before and after a run, never during it."""

    def __init__(self, process: subprocess.Popen[str], settings: dict[str, Any], folder: Path) -> None:
        self._process = process
        self.start_seconds = 0.0
        self.version = self._call({"op": "load", "folder": str(folder), **settings})["version"]

    def run(self, requests: Sequence[Request], *, with_ids: bool = False) -> Answer:
        """Run the requests in the other process."""
        work = [{"ids": r.token_ids, "output": r.output_tokens, "at": r.at_seconds} for r in requests]
        meter = CpuMeter({"server": self._process.pid, OURSELVES: os.getpid()})
        results = self._call({"op": "run", "requests": work, "with_ids": with_ids})["results"]
        cpu = meter.stop()
        timings = [
            Timed(
                sent=result["sent"],
                prompt_tokens=len(request.token_ids),
                output_tokens=result["count"],
                arrivals=[(at, count) for at, count in result["arrivals"]],
                ended=result["arrivals"][-1][0],
                token_ids=tuple(result.get("ids", ())),
            )
            for request, result in zip(requests, results, strict=True)
        ]
        return Answer(timings, cpu)

    def _call(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None, "started with pipes"
        assert self._process.stdout is not None, "started with pipes"
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the bare engine ended; its words are above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def open_bare(settings: dict[str, Any], folder: Path, around: Surroundings, label: str) -> Iterator[BarePeer]:
    """The bare engine on an IR folder with these ``scheduler`` members and device ``properties``."""
    log = around.work / f"{label}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [around.python, str(Path(__file__).with_name("bare.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(around.environment),
        ) as process,
    ):
        try:
            yield BarePeer(process, settings, folder)
        finally:
            process.kill()
