"""Where the access log goes, and what can never be in it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podium.core.errors import ConfigurationError
from podium.gateway.access_log import ACCESS_FIELDS, require_writable
from podium.gateway.resources import LISTENER, documents
from podium.gateway.snapshot import snapshot_of
from support.topologies import topology


def logged(place: str) -> Any:
    (listener,) = documents(replace(topology(), access_log=place))[LISTENER]
    return listener["filter_chains"][0]["filters"][0]["typed_config"].get("access_log")


def test_it_goes_nowhere_to_standard_output_or_to_a_file() -> None:
    assert logged("off") is None
    (stdout,) = logged("stdout")
    (file,) = logged("/var/log/gateway.jsonl")
    assert stdout["typed_config"]["@type"].endswith("StdoutAccessLog")
    assert file["typed_config"]["path"] == "/var/log/gateway.jsonl"
    assert stdout["typed_config"]["log_format"] == file["typed_config"]["log_format"]
    versions = {
        snapshot_of(replace(topology(), access_log=place)).versions[LISTENER] for place in ("off", "stdout", "/a")
    }
    assert len(versions) == 3


def test_of_what_a_caller_sends_only_four_short_texts_are_written() -> None:
    """Prompts are in bodies, keys in the header of authorization, in ``x-api-key`` and in queries."""
    taken = {name: text for name, text in ACCESS_FIELDS.items() if re.search(r"REQ\(|PATH\(|RESP\(|TRAILER\(", text)}
    assert taken.keys() == {"request_id", "method", "path", "user_agent"}
    assert taken["path"].startswith("%PATH(NQ:")
    assert all(re.search(r"\):\d+%$", text) for text in taken.values())


def test_a_file_is_made_for_its_owner_and_group_and_what_is_in_it_stays(tmp_path: Path) -> None:
    place = tmp_path / "gateway.jsonl"
    require_writable(str(place))
    assert place.stat().st_mode & 0o137 == 0
    place.write_text("before\n")
    require_writable(str(place))
    assert place.read_text() == "before\n"
    require_writable("stdout")
    require_writable("off")


def test_a_file_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, why in (("none/a.jsonl", "No such file"), ("", "Is a directory"), ("pipe", "No such device")):
        with pytest.raises(ConfigurationError, match=f"gateway.access_log: .*{why}.*or use stdout"):
            require_writable(f"{tmp_path}/{place}")
