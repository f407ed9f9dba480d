"""How traffic stands when a controller begins: as the history says, if it says anything that still counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import structlog

from podium.config.gateway import Gateway
from podium.core.errors import ConfigurationError
from podium.gateway.topology import TOTAL_WEIGHT, Topology
from podium.rollout.state import ENDED, LEAVING, Phase, RolloutState

log = structlog.get_logger(__name__)


def configured(gateway: Gateway) -> str:
    """What the configuration says about traffic. When it is edited after a rollout, it counts again."""
    return json.dumps([gateway.stable_name, gateway.starting_weights])


def is_overruled(state: RolloutState, gateway: Gateway) -> bool:
    """Whether the last rollout has ended, and what it left is not what the configuration wants since."""
    if state.phase is Phase.IDLE or state.phase not in ENDED:
        return False
    names = {state.terms.environment, state.terms.stable}
    return state.terms.configured != configured(gateway) or not names <= set(gateway.environments)


def resumed(topology: Topology, state: RolloutState, gateway: Gateway, kept: Mapping[str, int] | None) -> Topology:
    """The topology to begin with. ``kept``: the weights that were last confirmed in this run, None in a new one.

    Raises:
        ConfigurationError: a rollout runs, and the configuration lacks one of its environments.
    """
    if state.phase is Phase.IDLE or is_overruled(state, gateway):
        return topology if kept is None else replace(topology, weights=kept)
    terms = state.terms
    if state.phase in ENDED:
        stable = terms.environment if state.phase is Phase.DONE else terms.stable
        weights = kept or _split(topology, {stable: TOTAL_WEIGHT})
        log.info("traffic stands as the last rollout left it", stable=stable)
        former = terms.stable if state.phase is Phase.DONE else ""  # its shield may be in use still
        return replace(topology, stable=stable, former=former, weights=weights)
    _check(topology, state)
    units = _units(state, kept)
    split = _split(topology, {terms.environment: units, terms.stable: TOTAL_WEIGHT - units})
    return replace(topology, stable=terms.stable, weights=split)


def _units(state: RolloutState, kept: Mapping[str, int] | None) -> int:
    """What was last confirmed by a gateway; it may have been told the wanted weights without that being written."""
    if state.phase in LEAVING:
        return 0
    told = None if kept is None else kept.get(state.terms.environment)
    return state.wanted_units if told == state.wanted_units else state.acknowledged_units


def _split(topology: Topology, weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weights.get(name, 0) for name in topology.names}


def _check(topology: Topology, state: RolloutState) -> None:
    missing = [name for name in (state.terms.environment, state.terms.stable) if name not in topology.names]
    if missing:
        raise ConfigurationError(
            f"A rollout from {state.terms.stable} to {state.terms.environment} runs, and gateway.environments has no "
            f"{missing[0]}. Add it again and abort the rollout first, or name another rollout.history_file."
        )
