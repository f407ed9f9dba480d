"""``podium doctor``: what this machine can run, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from podium.cli import machine, output
from podium.cli.connection import is_listening
from podium.cli.exit_codes import ExitCode
from podium.cli.gateway_report import GatewayReport, PortReport, gateway_ports, gateway_report
from podium.cli.options import ConfigOption, JsonOption, SetOption, settings_from
from podium.config.engine import EchoEngine, RemoteEngine
from podium.config.models import Model
from podium.config.server import Server
from podium.config.sources import read_environment
from podium.core.errors import ModelLoadError
from podium.engine.adapters.table import ADAPTERS, AdapterEntry
from podium.gateway.binary import ENVOY_PATH
from podium.models import selection
from podium.models.checkpoint import inspect
from podium.models.source import DEMO, resolve_source


@dataclass(frozen=True)
class EngineReport:
    """One engine here: its version, or the command that installs it."""

    engine: str
    available: bool
    version: str | None
    install: str | None


@dataclass(frozen=True)
class ModelReport:
    """Whether a configured model can run here, on which engine, and why (not)."""

    model: str
    can_run: bool
    engine: str | None
    why: str


@dataclass(frozen=True)
class Report:
    """Everything that ``podium doctor`` finds."""

    machine: machine.Machine
    engines: list[EngineReport]
    models: list[ModelReport]
    gateway: GatewayReport
    ports: list[PortReport]
    warnings: list[str]


def doctor(*, config: ConfigOption = None, assignments: SetOption = None, as_json: JsonOption = False) -> None:
    """Say what this machine can run and what is missing; exit status 1 when a configured model cannot run.

    \b
    Examples:
      podium doctor
      podium doctor --config podium.yaml --json
    """
    settings = settings_from(config, assignments).settings
    ports = [*_ports(settings.server), *gateway_ports(settings.gateway)]
    gateway = gateway_report(settings.gateway, read_environment().get(ENVOY_PATH))
    report = Report(
        machine=machine.look(),
        engines=[_engine(entry) for entry in ADAPTERS.values()],
        models=[_model(model) for model in settings.all_models],
        gateway=gateway,
        ports=ports,
        warnings=[*filter(None, [machine.torchvision_conflict()]), *gateway.problems, *_port_warnings(ports)],
    )
    if as_json:
        output.document(report)
    else:
        _print(report)
    if not all(model.can_run for model in report.models):
        raise typer.Exit(ExitCode.FAILED)


def _engine(entry: AdapterEntry) -> EngineReport:
    version = entry.version()
    return EngineReport(entry.kind, version is not None, version, None if version else entry.install)


def _model(model: Model) -> ModelReport:
    """Everything that can be known without loading or fetching."""
    try:
        choice = selection.choose(model.engine, is_openvino_ir=_is_ir(model), machine=selection.Machine.here())
    except ModelLoadError as error:
        return ModelReport(model.name, can_run=False, engine=None, why=error.message)
    entry = ADAPTERS[choice.engine.kind]
    if model.python is None and entry.version() is None:
        why = f"the {entry.kind} engine is not installed; {entry.install}"
        return ModelReport(model.name, can_run=False, engine=entry.kind, why=why)
    return ModelReport(model.name, can_run=True, engine=entry.kind, why=choice.reason)


def _is_ir(model: Model) -> bool:
    """Whether the source is OpenVINO IR; a hub id that is not a folder counts as safetensors."""
    if isinstance(model.engine, EchoEngine | RemoteEngine):
        return False
    folder = Path(model.source).expanduser()
    if model.source != DEMO and not folder.is_dir() and "/" in model.source and not model.source.startswith((".", "/")):
        return False
    return (
        inspect(resolve_source(model.source, (folder,)), trust_remote_code=model.trust_remote_code).format == "openvino"
    )


def _ports(server: Server) -> Iterator[PortReport]:
    for setting in ("port", "admin_port"):
        host, port = getattr(server, setting.replace("port", "host")), getattr(server, setting)
        yield PortReport(f"server.{setting}", port, in_use=bool(port) and is_listening(host, port))


_USERS = {"server": "serve", "gateway": "up"}
"""The command that takes a port, by the group of its setting."""


def _port_warnings(ports: list[PortReport]) -> list[str]:
    return [
        f"port {port.port} is in use; `podium {_USERS[port.setting.partition('.')[0]]}` needs it free, or another "
        f"{port.setting}"
        for port in ports
        if port.in_use
    ]


def _print(report: Report) -> None:
    here, gateway = report.machine, report.gateway
    gpus = [f"{gpu.name}, {output.byte_text(gpu.memory_bytes)}, driver {gpu.driver}" for gpu in here.gpus]
    output.facts(
        {
            "system": f"{here.system}, Python {here.python}",
            "cpu": f"{here.cpu.name}, {here.cpu.physical_cores} cores, {here.cpu.logical_cores} threads",
            "cpu features": here.cpu.features,
            "memory": f"{output.byte_text(here.available_bytes)} free of {output.byte_text(here.memory_bytes)}",
            "gpu": gpus or "none",
            "gateway": f"Envoy {gateway.version}, {gateway.binary}" if gateway.binary else "cannot be started",
        },
        title="This machine",
    )
    output.line("")
    engines = [(e.engine, e.available, e.version, e.install) for e in report.engines]
    output.table(("engine", "here", "version", "to install"), engines, title="Engines")
    output.line("")
    models = [(m.model, m.can_run, m.engine, m.why) for m in report.models]
    output.table(("model", "can run", "engine", "why"), models, title="Configured models")
    for words in report.warnings:
        output.warning(words)
