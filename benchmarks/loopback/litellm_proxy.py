"""LiteLLM's proxy as the peer of cached hits: one worker, as fast as its own pages tell, and silent to the world."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks.loopback.podium_server import MODEL, pinned
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.preparation import environment
from benchmarks.serving.server_process import ServerProcess, free_port

# httptools is not among its own requirements; uvicorn takes it when it is there, and is faster with it.
PACKAGES = ("litellm[proxy]", "httptools")
KEY = "sk-benchmark"
SECONDS_KEPT = 7200

SETTINGS: Mapping[str, str] = {
    "LITELLM_LOG": "ERROR",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "DISABLE_ADMIN_UI": "True",
    "NO_DOCS": "True",
    "NO_REDOC": "True",
    "NO_OPENAPI": "True",
    "NO_PROXY": "127.0.0.1",
}
"""Its environment: production mode, errors only (which also turns uvicorn's access log off), nothing fetched."""


def python(around: Surroundings) -> str:
    """The interpreter that has it; made when none was named."""
    folder = around.repository / "benchmarks" / ".cache" / "venvs" / "litellm"
    return around.litellm_python or environment(folder, PACKAGES)


def config(upstream_port: int, *, cached: bool = True) -> dict[str, Any]:
    """Its configuration: a cache in memory or none, a master key, no database, and an OpenAI-compatible upstream."""
    parameters = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}
    caching = {"cache": True, "cache_params": {"type": "local", "ttl": SECONDS_KEPT}} if cached else {}
    return {
        "model_list": [{"model_name": MODEL, "litellm_params": parameters}],
        "litellm_settings": {
            **caching,
            "callbacks": [],
            "num_retries": 0,
            "request_timeout": 600,
            "set_verbose": False,
        },
        "general_settings": {
            "master_key": KEY,
            "disable_spend_logs": True,
            "disable_error_logs": True,
            "background_health_checks": False,
        },
    }


@contextlib.contextmanager
def litellm_proxy(
    upstream_port: int, core: int | None, around: Surroundings, *, cached: bool = True
) -> Iterator[tuple[ServerProcess, int]]:
    """Start it with one worker on one core; the process and its port."""
    port = free_port()
    path = around.work / "litellm.yaml"
    path.write_text(yaml.safe_dump(config(upstream_port, cached=cached)), "utf-8")
    program = Path(python(around)).with_name("litellm")
    command = [str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    variables = {**around.environment, **SETTINGS}
    log = around.work / "litellm.log"
    with ServerProcess([*pinned(core), *command], variables, log, (port, "/health/readiness"), around.work) as process:
        yield process, port
