"""vLLM on every machine of a copy but the first: it computes its share and takes no requests.

Started by ``podium.server.engine_node`` with the interpreter that has vLLM. Its arguments are made as those of the
first machine, from the same settings, so that both agree.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import msgspec
from pydantic import TypeAdapter

from podium.config.engine import VLLMEngine
from podium.engine.adapters.vllm import arguments
from podium.engine.adapters.vllm_environment import prepare_environment
from podium.engine.adapters.vllm_parallel import Node, parallel_arguments
from podium.engine.interface import LoadContext
from podium.engine.messages import Load


class NodeLoad(msgspec.Struct, frozen=True):
    """What the first machine's worker is told, and which machine this is."""

    load: Load
    rank: int
    first_host: str


def main() -> None:
    """Compute until the first machine is gone. The words are one: a ``NodeLoad`` as JSON."""
    told = msgspec.json.decode(sys.argv[1], type=NodeLoad)
    config = TypeAdapter(VLLMEngine).validate_python(told.load.engine)
    prepare_environment()
    context = LoadContext(
        report=lambda _stage, _ratio: None,
        max_model_len=told.load.max_model_len,
        trust_remote_code=told.load.trust_remote_code,
    )
    given = arguments(Path(told.load.model_dir), config, context)
    given |= parallel_arguments(config, Node(told.rank, told.first_host))
    vllm = importlib.import_module("vllm")
    usage = importlib.import_module("vllm.usage.usage_lib").UsageContext.ENGINE_CONTEXT
    engine_config = vllm.AsyncEngineArgs(**given).create_engine_config(usage_context=usage, headless=True)
    executors = importlib.import_module("vllm.v1.executor.multiproc_executor")
    executor = executors.MultiprocExecutor(engine_config, monitor_workers=False)
    executor.start_worker_monitor(inline=True)
