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


def test_weights_that_cannot_be_kept_leave_none_rather_than_those_of_before(tmp_path: Path) -> None:
    """A canary that was rolled back while the disk was full would get its share again from the next controller."""
    file = WeightsFile(tmp_path / "weights.json")
    file.write({"green": 1000, "blue": 9000})
    (tmp_path / "weights.new").mkdir()  # nothing can be written there, as on a full disk
    with pytest.raises(OSError, match="Is a directory"):
        file.write({"green": 0, "blue": 10_000})
    assert file.read(NAMES) is None
