"""The grid of a sweep, and settings at a path."""

from __future__ import annotations

import pytest

from podium.bench.sweep import changed, grid
from podium.core.errors import InvalidRequest

SETTINGS = {"models": [{"name": "m", "engine": "echo"}], "server": {"port": 1}}


def test_every_combination_is_a_point_and_nothing_varied_is_one() -> None:
    assert grid({"a": [1, 2], "b": ["x"]}) == [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}]
    assert grid({}) == [{}]


def test_values_reach_their_place_and_the_rest_stays() -> None:
    found = changed(SETTINGS, {"models.0.engine.max_batch_sequences": 4, "cache.store": "off", "server.port": 2})
    assert found["models"][0] == {"name": "m", "engine": {"kind": "echo", "max_batch_sequences": 4}}
    assert found["cache"] == {"store": "off"}
    assert found["server"] == {"port": 2}
    assert SETTINGS["server"] == {"port": 1}


@pytest.mark.parametrize("path", ["models.1.name", "models.x.name", "server.port.number"])
def test_a_path_that_leads_nowhere_is_named(path: str) -> None:
    with pytest.raises(InvalidRequest, match=path.split(".", maxsplit=1)[0]):
        changed(SETTINGS, {path: 1})
