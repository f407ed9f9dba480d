"""``podium deploy compose`` and the secrets of a stack."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from support.command import Command
from support.stacks import FULL_STACK


def test_the_command_renders_and_says_what_it_wrote(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "podium.yaml"
    file.write_text(yaml.safe_dump(FULL_STACK))
    out = tmp_path / "stack"
    ended = command("deploy", "compose", "--out", str(out), "--config", str(file), "--json")
    assert ended.status == 0, ended.err
    told = json.loads(ended.out)
    assert {str(out / path) for path in told["files"]} == {str(p) for p in out.rglob("*") if p.is_file()}
    assert command("deploy", "secrets", "--for", "compose", "--out", str(out / "secrets")).status == 0
    refused = command("deploy", "compose", "--out", str(out), "--set", "redis.url=")
    assert refused.status == 2
    assert "no caller could be let in" in refused.err
