"""The process environment that vLLM reads, set in this one place before vLLM is imported.

vLLM and the Hugging Face libraries take these switches from the environment only, while they are
imported, and hand them to their child processes the same way. The worker process belongs to this
engine alone, so nobody else sees the change; it is the one exception to "only ``podium.config.sources``
touches the environment".
"""

from __future__ import annotations

import os

FORCED = {
    "VLLM_NO_USAGE_STATS": "1",  # no phoning home …
    "VLLM_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",  # … nor downloads: a model is a folder by the time it gets here
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # forked children would hold the worker's socket and pipes open
}
DEFAULTS = {
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",  # the stream that is captured into Podium's log
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_LOGGING_COLOR": "0",
}


def prepare_environment() -> None:
    """Set the switches for this process and its children. An operator's own logging settings stay."""
    os.environ.update(FORCED)  # noqa: TID251 - see the module's docstring
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)  # noqa: TID251 - see the module's docstring
