"""How one copy of a model is spread over GPUs and machines, in vLLM's words. Imports no vLLM."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from podium.config.engine import VLLMEngine


@dataclass(frozen=True)
class Node:
    """One machine of a copy: its number, and the host of the first one; empty: this machine."""

    rank: int
    first_host: str = ""


FIRST = Node(0)


def parallel_arguments(config: VLLMEngine, node: Node) -> dict[str, Any]:
    """Sizes of tensor and pipeline parallelism; with several nodes also where they meet (vLLM's own, without Ray)."""
    sizes = {"tensor_parallel_size": config.tensor_parallel, "pipeline_parallel_size": config.pipeline_parallel}
    if config.nodes == 1:
        return sizes
    return {
        **sizes,
        "distributed_executor_backend": "mp",
        "nnodes": config.nodes,
        "node_rank": node.rank,
        "master_addr": node.first_host or socket.gethostname(),
        "master_port": config.node_port,
    }
