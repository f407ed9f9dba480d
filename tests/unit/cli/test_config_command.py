from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command import Command


def test_show_prints_every_value_with_its_origin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("podium.yaml").write_text("logs: {level: debug}\n")
    monkeypatch.setenv("PODIUM__SERVER__PORT", "9000")
    ended = command("config", "show", "--set", "server.max_queue=7")
    lines = {tuple(line.split()) for line in ended.out.splitlines()}
    assert ("server.port", "9000", "environment", "PODIUM__SERVER__PORT") in lines
    assert ("server.max_queue", "7", "flag") in lines
    assert ("logs.level", "debug", "file", "podium.yaml:1") in lines
    assert ("server.host", "127.0.0.1", "default") in lines


def test_show_as_json_has_types(command: Command) -> None:
    shown = json.loads(command("config", "show", "--json").out)
    assert shown["file"] is None
    assert {"path": "server.port", "value": 8000, "origin": "default"} in shown["settings"]


def test_check_names_file_and_models(command: Command) -> None:
    Path("other.yaml").write_text("models: [{name: a, source: none, engine: echo}]\n")
    assert command("config", "check", "--config", "other.yaml").out == "valid: other.yaml; models: a\n"


def test_check_tells_every_problem(command: Command) -> None:
    Path("podium.yaml").write_text("server: {prot: 1}\nlogs: {level: loud}\n")
    ended = command("config", "check")
    assert ended.status == 2
    assert ended.err.startswith("error: 2 problems in the configuration:\n")
    assert "did you mean server.port?" in ended.err
    assert ended.out == ""
