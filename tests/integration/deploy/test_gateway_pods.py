"""The rendered pods of gateway and controller, started for real: as their user, with their volumes and nothing else."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from support.api_server import ApiServer, api_server, endpoint
from support.deadline import until
from support.deployments import SMALL, Document, sets_of
from support.pod import Pod, pod_of, require_namespaces
from support.ports import free_port
from support.upstreams import upstream

START_SECONDS = 60.0


@contextmanager
def _running(pod: Pod, api: ApiServer) -> Iterator[subprocess.Popen[str]]:
    account = {path.name: path.read_text() for path in api.account.iterdir()}
    more = [f"--api-server={api.url}"] if pod.workload.item.kind == "StatefulSet" else []
    with pod.start(more=more, secrets={"account": account}, hosts=["podium-controller"]) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def _is_ready(process: subprocess.Popen[str], url: str) -> bool:
    assert process.poll() is None, process.stdout.read() if process.stdout else ""
    try:
        return httpx.get(url, timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_request_passes_the_rendered_gateway_which_the_rendered_controller_feeds(tmp_path: Path) -> None:
    require_namespaces()
    listen, status, discovery = free_port(), free_port(), free_port()
    document: Document = {
        **SMALL,
        "gateway": {"listen": f"127.0.0.1:{listen}", "envoy_threads": 1},
        "deploy": {
            **SMALL["deploy"],
            "splitter": "gateway",
            "gateway": {"status_port": status, "discovery_port": discovery},
            "network": {"api_server": [{"network": "10.0.0.1/32", "port": 6443}]},
        },
    }
    graph = sets_of(tmp_path / "k8s", document)["overlays/production"]
    controller, gateway = (pod_of(graph, name, tmp_path / name) for name in ("controller", "gateway"))
    (tmp_path / "account").mkdir()
    with ExitStack() as stack:
        blue = stack.enter_context(upstream("blue"))
        api = stack.enter_context(api_server(tmp_path / "account"))
        api.put("podium-blue-1", "podium-blue", [endpoint("127.0.0.1")], blue.port)
        feeding = stack.enter_context(_running(controller, api))
        serving = stack.enter_context(_running(gateway, api))
        until(
            "the gateway is ready",
            lambda: _is_ready(serving, f"http://127.0.0.1:{status}/readyz"),
            seconds=START_SECONDS,
        )
        api.put("podium-1", "podium", [endpoint("127.0.0.1")], listen)
        url = f"http://127.0.0.1:{listen}/v1/completions"
        until("blue answers", lambda: httpx.post(url, json={}, timeout=10.0).text == "blue", seconds=START_SECONDS)
        for process, pod in ((serving, gateway), (feeding, controller)):
            process.send_signal(signal.SIGTERM)
            out, _ = process.communicate(timeout=pod.grace_seconds)
            assert process.returncode == 0, out
