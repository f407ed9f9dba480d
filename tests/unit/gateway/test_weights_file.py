"""Weights outlive the controller."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.gateway.weights_file import WeightsFile

NAMES = ("blue", "green")


def test_what_was_written_is_read_in_the_order_of_the_environments(tmp_path: Path) -> None:
    file = WeightsFile(tmp_path / "weights.json")
    assert file.read(NAMES) is None
    file.write({"green": 1000, "blue": 9000})
    assert list((file.read(NAMES) or {}).items()) == [("blue", 9000), ("green", 1000)]


@pytest.mark.parametrize("text", ["", "{", '{"blue": 10000}', '{"blue": 1, "green": 2}', '{"blue": 9000, "red": 1000}'])
def test_what_does_not_fit_is_as_if_it_were_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / "weights.json").write_text(text)
    assert WeightsFile(tmp_path / "weights.json").read(NAMES) is None
