"""What a gateway may be configured to, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.config.sources import load
from podium.core.errors import ConfigurationError

BOTH = {"blue": {"replicas": 1}, "green": {"endpoints": ["http://10.0.0.7:8000"]}}


def gateway(**fields: Any) -> Any:
    return load({f"gateway.{name}": value for name, value in fields.items()}, None, {}).settings.gateway


def test_without_a_word_there_is_one_local_environment_that_gets_everything() -> None:
    assert gateway().starting_weights == {"blue": 100.0}
    assert gateway().listen == "127.0.0.1:8080"


def test_weights_may_have_two_decimals_and_name_only_who_gets_something() -> None:
    assert gateway(environments=BOTH, weights={"green": 0.01, "blue": 99.99}).starting_weights == {
        "blue": 99.99,
        "green": 0.01,
    }
    assert gateway(environments=BOTH, weights={"green": 100}).starting_weights == {"blue": 0.0, "green": 100}


def test_without_weights_everything_goes_to_stable() -> None:
    assert gateway(environments=BOTH, stable="green").starting_weights == {"blue": 0.0, "green": 100.0}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown environment in weights": ({"weights": {"red": 100}}, "'red', which is no environment; there are blue"),
    "weights that do not sum": ({"environments": BOTH, "weights": {"blue": 90, "green": 9}}, "together 99"),
    "a weight with three decimals": ({"environments": BOTH, "weights": {"blue": 99.999, "green": 0.001}}, "decimals"),
    "a negative weight": ({"environments": BOTH, "weights": {"blue": 110, "green": -10}}, "should be 0 to 100"),
    "servers of no kind": ({"environments": {"blue": {}}}, "gateway.environments.blue: should have either"),
    "servers of both kinds": (
        {"environments": {"blue": {"replicas": 1, "endpoints": ["http://a:1"]}}},
        "not both and not neither",
    ),
    "models of servers that run elsewhere": (
        {"environments": {"blue": {"endpoints": ["http://a:1"], "models": [{"name": "a", "source": "b"}]}}},
        "serve what they were started with",
    ),
    "a model twice in an environment": (
        {"environments": {"blue": {"replicas": 1, "models": [{"name": "a", "source": "b"}] * 2}}},
        "gateway.environments.blue: model 'a' version '1' is listed twice",
    ),
    "a model with an unknown key in an environment": (
        {"environments": {"blue": {"replicas": 1, "models": [{"name": "a", "source": "b", "versoin": "2"}]}}},
        "did you mean gateway.environments.blue.models[0].version?",
    ),
    "no environment": ({"environments": {}}, "gateway.environments"),
    "a name that is none": ({"environments": {"Blue_1": {"replicas": 1}}}, "lower-case letters"),
    "an https endpoint": ({"environments": {"blue": {"endpoints": ["https://a:1"]}}}, "http://host:port and nothing"),
    "an endpoint with a path": ({"environments": {"blue": {"endpoints": ["http://a:1/v1"]}}}, "nothing more"),
    "an endpoint that is no URL": ({"environments": {"blue": {"endpoints": ["a:1"]}}}, "http://10.0.0.7:8000"),
    "an endpoint twice": ({"environments": {"blue": {"endpoints": ["http://a:1", "http://a:1"]}}}, "twice"),
    "an endpoint in two environments": (
        {"environments": {"blue": {"endpoints": ["http://a:1"]}, "green": {"endpoints": ["http://a:1/"]}}},
        "two environments",
    ),
    "an unknown key": ({"environments": {"blue": {"replica": 1}}}, "did you mean gateway.environments.blue.replicas?"),
    "an unknown stable": ({"stable": "green"}, "'green', which is no environment"),
    "an address without a port": ({"listen": "127.0.0.1"}, "should be host:port"),
    "an open control port": ({"control": "0.0.0.0:8081"}, "should be a loopback address"),
    "an access log at a relative path": ({"access_log": "gateway.jsonl"}, "off, stdout, or an absolute path"),
    "a health path that is none": ({"environments": {"blue": {"replicas": 1, "health_path": "x"}}}, "begins with /"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_a_reason(case: str) -> None:
    fields, words = REFUSED[case]
    with pytest.raises(ConfigurationError) as refused:
        gateway(**fields)
    assert words in refused.value.message


def test_off_needs_no_quotation_marks(tmp_path: Path) -> None:
    """YAML 1.1 reads the bare word as false."""
    file = tmp_path / "podium.yaml"
    file.write_text("gateway: {access_log: off}\ncache: {store: off}\n")
    settings = load({}, file, {}).settings
    assert (settings.gateway.access_log, settings.cache.store) == ("off", "off")


def test_two_environments_with_one_name_are_refused_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "podium.yaml"
    file.write_text("gateway:\n  environments:\n    blue: {replicas: 1}\n    blue: {replicas: 2}\n")
    with pytest.raises(ConfigurationError, match="blue"):
        load({}, file, {})


def test_an_environment_without_models_serves_those_at_the_top() -> None:
    environments = {"blue": {"replicas": 1}, "green": {"replicas": 1, "models": [{"name": "b", "source": "x"}]}}
    loaded = load({"models": [{"name": "a", "source": "x"}], "gateway.environments": environments}, None, {}).settings
    assert [model.name for model in loaded.models_of("blue")] == ["a"]
    assert [model.name for model in loaded.models_of("green")] == ["b"]
    assert [model.name for model in loaded.all_models] == ["a", "b"]


def test_a_model_at_the_top_that_no_environment_serves_is_not_served() -> None:
    environments = {"blue": {"replicas": 1, "models": [{"name": "b", "source": "x"}]}}
    loaded = load({"gateway.environments": environments}, None, {}).settings
    assert [model.name for model in loaded.all_models] == ["b"]


def test_the_model_that_compares_questions_is_needed_in_every_environment() -> None:
    embed = {"name": "minilm", "source": "./minilm", "task": "embed"}
    flags = {
        "models": [embed],
        "cache.semantic": {"model": "minilm", "threshold": 0.9},
        "gateway.environments": {
            "blue": {"replicas": 1},
            "green": {"replicas": 1, "models": [{"name": "b", "source": "x"}]},
        },
    }
    with pytest.raises(ConfigurationError, match="no model of that name is configured in every environment"):
        load(flags, None, {})
