"""The peers: how each is started, what it is asked, and how its answer is read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import yaml
from pydantic import TypeAdapter

from benchmarks.serving.bare_peer import open_bare
from benchmarks.serving.client import Planned, http_post, run_load
from benchmarks.serving.machine import OURSELVES, CpuMeter
from benchmarks.serving.server_process import ServerProcess, free_port
from benchmarks.serving.surroundings import Answer, Surroundings
from benchmarks.serving.workloads import Prompts, Request
from podium.config.engine import OpenVINOEngine
from podium.engine.adapters.openvino_settings import settings_for

Precision = Literal["int8", "bf16", "f32"]

SERVED_NAME = "bench"
MAX_STREAMS = 64
MAX_MODEL_LEN = 1024
_IR_FOLDER = {"int8": "int8", "bf16": "f16", "f32": "f32"}
_HOST = "127.0.0.1"


class Peer(Protocol):
    """A started peer."""

    start_seconds: float

    def run(self, requests: Sequence[Request]) -> Answer:
        """Do this work now."""


@dataclass(frozen=True)
class PeerKind:
    """A row of the tables."""

    name: str
    engine: Literal["podium", "bare", "vllm", "transformers"]
    precision: Precision
    engine_settings: tuple[tuple[str, Any], ...] = ()

    def open(self, model: str, around: Surroundings) -> AbstractContextManager[Peer]:
        """Start it on a model; the context ends it."""
        return _OPENERS[self.engine](self, model, around)

    def podium_engine(self) -> dict[str, Any]:
        """Podium's engine setting of this row (for the bare engine: what Podium would pass on)."""
        return {"kind": "openvino", "precision": self.precision, **dict(self.engine_settings)}


PEERS = {
    peer.name: peer
    for peer in (
        PeerKind("podium-int8", "podium", "int8"),
        PeerKind("bare-int8", "bare", "int8"),
        PeerKind("podium-bf16", "podium", "bf16"),
        PeerKind("bare-bf16", "bare", "bf16"),
        PeerKind("vllm-bf16", "vllm", "bf16"),
        PeerKind("transformers-bf16", "transformers", "bf16"),
        PeerKind("transformers-f32", "transformers", "f32"),
    )
}


class HttpPeer:
    """A server that streams OpenAI's events."""

    def __init__(self, server: ServerProcess, port: int, plan: Callable[[Request], Planned]) -> None:
        self.start_seconds = server.start_seconds
        self.server = server
        self.port = port
        self._plan = plan

    def run(self, requests: Sequence[Request]) -> Answer:
        """Send the requests, each at its time."""
        planned = [self._plan(request) for request in requests]
        meter = CpuMeter({"server": self.server.pid, OURSELVES: os.getpid()})
        timings = run_load(_HOST, self.port, planned)
        return Answer(timings, meter.stop())


def completion_body(request: Request, **more: object) -> dict[str, object]:
    """The body of ``/v1/completions`` that Podium and vLLM get."""
    return {
        "model": SERVED_NAME,
        "prompt": list(request.token_ids),
        "max_tokens": request.output_tokens,
        "min_tokens": request.output_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        **more,
    }


def chat_body(model: str, text: str, output_tokens: int) -> dict[str, object]:
    """The body that ``transformers serve`` gets: it has no plain completions and no ``ignore_eos``."""
    settings = {"do_sample": False, "max_new_tokens": output_tokens, "eos_token_id": -1}
    return {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "max_tokens": output_tokens,
        "temperature": 0,
        "stream": True,
        "generation_config": json.dumps(settings),
    }


@contextmanager
def podium_server(
    engine: dict[str, Any], source: Path | str, around: Surroundings, *, label: str = "podium", load: str = "start"
) -> Iterator[tuple[ServerProcess, int, int]]:
    """A running ``podium serve`` with one model: (server, traffic port, admin port)."""
    port, admin_port = free_port(), free_port()
    settings = {
        "models": [{"name": SERVED_NAME, "source": str(source), "engine": engine, "load": load}],
        "server": {"port": port, "admin_port": admin_port},
    }
    config = around.work / f"{label}.yaml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(yaml.safe_dump(settings))
    command = [around.python, "-m", "podium", "serve", "--config", str(config)]
    ready = (admin_port, "/readyz" if load == "start" else "/livez")
    log = around.work / f"{label}.log"
    with ServerProcess(command, around.environment, log, ready, around.repository) as server:
        yield server, port, admin_port


@contextmanager
def _open_podium(kind: PeerKind, model: str, around: Surroundings) -> Iterator[Peer]:
    source = around.models / model / _IR_FOLDER[kind.precision]
    with podium_server(kind.podium_engine(), source, around, label=f"{kind.name}-{model}") as (server, port, _):
        yield HttpPeer(server, port, lambda request: _completion(port, request))


@contextmanager
def _open_vllm(kind: PeerKind, model: str, around: Surroundings) -> Iterator[Peer]:
    port = free_port()
    command = [
        around.vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(around.models / model / "hf"),
        "--host", _HOST, "--port", str(port), "--served-model-name", SERVED_NAME, "--dtype", "bfloat16",
        "--max-model-len", str(MAX_MODEL_LEN), "--max-num-seqs", str(MAX_STREAMS), "--disable-uvicorn-access-log",
    ]  # fmt: skip
    quiet = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "WARNING"}
    environment = {**around.environment, **quiet, "VLLM_CPU_KVCACHE_SPACE": "1"}
    log = around.work / f"{kind.name}-{model}.log"
    with ServerProcess(command, environment, log, (port, "/health"), around.work) as server:
        yield HttpPeer(server, port, lambda request: _completion(port, request))


@contextmanager
def _open_transformers(kind: PeerKind, model: str, around: Surroundings) -> Iterator[Peer]:
    port = free_port()
    folder = around.models / model / "hf"
    dtype = {"bf16": "bfloat16", "f32": "float32"}[kind.precision]
    command = [
        around.transformers_python, "-m", "transformers.cli.transformers", "serve", str(folder), "--host", _HOST,
        "--port", str(port), "--continuous-batching", "--dtype", dtype, "--device", "cpu", "--log-level", "error",
    ]  # fmt: skip
    environment = {**around.environment, "HF_HUB_OFFLINE": "1"}
    log = around.work / f"{kind.name}-{model}.log"
    prompts = Prompts(folder)

    def plan(request: Request) -> Planned:
        body = chat_body(str(folder), prompts.text(request.token_ids), request.output_tokens)
        payload = http_post(_HOST, port, "/v1/chat/completions", body)
        return Planned(request.at_seconds, payload, len(request.token_ids), lead=1, trail=1)

    with ServerProcess(command, environment, log, (port, "/health"), around.work) as server:
        yield HttpPeer(server, port, plan)


@contextmanager
def _open_bare(kind: PeerKind, model: str, around: Surroundings) -> Iterator[Peer]:
    folder = around.models / model / _IR_FOLDER[kind.precision]
    settings = engine_settings(kind.podium_engine(), folder)
    with open_bare(settings, folder, around, f"{kind.name}-{model}") as peer:
        yield peer


def engine_settings(engine: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What Podium would pass to openvino-genai for this engine setting and IR folder."""
    settings = settings_for(folder, TypeAdapter(OpenVINOEngine).validate_python(engine))
    return {"scheduler": dict(settings.scheduler), "properties": dict(settings.properties)}


def _completion(port: int, request: Request) -> Planned:
    payload = http_post(_HOST, port, "/v1/completions", completion_body(request))
    return Planned(request.at_seconds, payload, len(request.token_ids))


_OPENERS: dict[str, Callable[[PeerKind, str, Surroundings], AbstractContextManager[Peer]]] = {
    "podium": _open_podium,
    "bare": _open_bare,
    "vllm": _open_vllm,
    "transformers": _open_transformers,
}
