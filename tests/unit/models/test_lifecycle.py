"""Model states."""

from __future__ import annotations

from typing import get_args

import pytest

from podium.core.errors import Conflict
from podium.models.lifecycle import TRANSITIONS, ModelState, advance


def test_every_state_is_in_the_table_and_reachable() -> None:
    assert set(TRANSITIONS) == set(get_args(ModelState))
    assert set().union(*TRANSITIONS.values()) == set(get_args(ModelState))


def test_a_way_outside_the_table_is_refused_and_says_what_is_allowed() -> None:
    assert advance("unloaded", "loading") == "loading"
    with pytest.raises(Conflict, match="from there it can become: loading"):
        advance("unloaded", "ready")
