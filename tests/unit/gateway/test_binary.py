"""Which Envoy is used."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from podium.core.errors import ConfigurationError
from podium.gateway.binary import envoy_binary, envoy_version


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_the_installed_one_is_found_and_is_of_our_series() -> None:
    found = asyncio.run(envoy_binary(None))
    assert found.name == "envoy"
    assert found.parent.name == "_bin"


def test_the_variable_names_another_one(tmp_path: Path) -> None:
    other = script(tmp_path / "mine", "echo envoy  version: abc/1.40.9/Clean/RELEASE/BoringSSL")
    assert asyncio.run(envoy_binary(other)) == Path(other)


@pytest.mark.parametrize("text", ["echo version: abc/1.36.3/Clean", "exit 1", "echo 1.40.0"])
def test_another_version_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match="does not say that it is version"):
        asyncio.run(envoy_binary(script(tmp_path / "old", text)))


def test_a_program_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ENVOY_PATH names no program"):
        asyncio.run(envoy_binary(str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("echo envoy  version: abc/1.40.0/Clean/RELEASE/BoringSSL", "1.40.0"),
        ("echo something else", ""),
        ("exit 1", ""),
    ],
)
def test_the_version_is_what_the_program_says(tmp_path: Path, text: str, version: str) -> None:
    assert asyncio.run(envoy_version(Path(script(tmp_path / "envoy", text)))) == version
