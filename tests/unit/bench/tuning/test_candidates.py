"""Which configurations are tried."""

from __future__ import annotations

from typing import Any

import pytest

from podium.bench.tuning.candidates import DEFAULT, candidates, choices
from podium.core.errors import InvalidRequest

SPACE: dict[str, list[Any]] = {"max_batch_tokens": [64, 256, 1024], "prefix_caching": [True, False], "threads": [1]}
PRESENT = {"max_batch_tokens": 256, "prefix_caching": True, "threads": 0}


def test_the_present_configuration_comes_first_and_no_candidate_twice() -> None:
    found = candidates(SPACE, PRESENT, 9, seed=1)
    assert found[0] == DEFAULT
    assert len({one.name for one in found}) == len(found) == 9


def test_a_candidate_never_changes_a_setting_to_what_it_is() -> None:
    for one in candidates(SPACE, PRESENT, 9, seed=2):
        assert all(PRESENT[name] != value for name, value in one.changes.items())


def test_single_changes_are_tried_and_combinations_too() -> None:
    sizes = [len(one.changes) for one in candidates(SPACE, PRESENT, 8, seed=3)]
    assert sizes.count(1) >= 3
    assert max(sizes) >= 2


def test_a_small_space_is_tried_whole() -> None:
    found = candidates({"threads": [1, 2]}, {"threads": 0}, 12, seed=1)
    assert {one.name for one in found} == {"default", "threads=1", "threads=2"}


def test_an_engine_without_settings_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="the engine remote has no settings to tune"):
        choices("remote", 4)


@pytest.mark.parametrize("kind", ["openvino", "transformers", "vllm", "echo"])
def test_every_choice_is_a_setting_of_its_engine(kind: str) -> None:
    from podium.config.models import Model  # noqa: PLC0415 - only this test looks at the settings

    for name, values in choices(kind, 8).items():
        for value in values:
            Model.model_validate({"name": "m", "source": "none", "engine": {"kind": kind, name: value}})


def test_nothing_that_lowers_quality_is_tried() -> None:
    for kind in ("openvino", "transformers", "vllm"):
        assert not {name for name in choices(kind, 4) if "precision" in name or "activations" in name}
