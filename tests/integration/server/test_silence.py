"""No outbound connection, whatever is asked: every ``connect`` of the server and its workers is traced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from support.deadline import until
from support.ports import free_port
from support.require import require_program

CONNECT = re.compile(r"connect\(\d+, \{sa_family=(?P<family>\w+)[^}]*\}")
REQUESTS = (
    ("/v1/completions", {"model": "demo", "prompt": "http://169.254.169.254/", "max_tokens": 4}),
    ("/v1/completions", {"model": "http://example.org/model", "prompt": "x"}),
    (
        "/v1/chat/completions",
        {"model": "demo", "messages": [{"role": "user", "content": "ftp://example.org"}], "max_tokens": 4},
    ),
    ("/v1/chat/completions", {"model": "demo", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
    ("/generate", {"model": "demo", "prompt": "//example.org/x", "max_new_tokens": 2}),
)


@pytest.mark.slow
def test_serving_the_demo_model_opens_no_connection_to_anywhere(tmp_path: Path) -> None:
    tracer = require_program("strace")
    port = free_port()
    config = tmp_path / "podium.yaml"
    config.write_text(yaml.safe_dump({"server": {"port": port, "admin_port": 0}, "logs": {"format": "json"}}), "utf-8")
    trace = tmp_path / "trace"
    environment = {
        name: value for name, value in os.environ.items() if name != "CI"
    }  # some libraries are quiet in CI only
    command = [tracer, "-f", "-qq", "-e", "trace=connect", "-o", str(trace), sys.executable, "-m", "podium", "serve"]
    with subprocess.Popen([*command, "--config", str(config)], stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60, headers={"x-request-id": "http://x"}
            )
            with client:
                until("the model is ready", lambda: _ready(client), seconds=90)
                answers = [client.post(path, json=body).status_code for path, body in REQUESTS]
            assert answers == [200, 404, 200, 400, 200]
        finally:
            child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()[0]
            os.kill(int(child), signal.SIGTERM)
            process.wait(30)
    families = {match["family"] for match in CONNECT.finditer(trace.read_text("utf-8"))}
    assert families <= {"AF_UNIX"}


def _ready(client: httpx.Client) -> bool:
    try:
        return bool(client.get("/health").json()["status"] == "healthy")
    except httpx.TransportError:
        return False
