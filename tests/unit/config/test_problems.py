from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from podium.config.frozen import Group
from podium.config.origin import Origin, Steps
from podium.config.problems import explain


class Access(Group):
    api_key: str = Field("x", max_length=3, description="A secret.")


class Root(Group):
    access: Access = Access()


def _problems(text: str, origins: dict[Steps, Origin] | None = None) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Root.model_validate_json(text, strict=True)
    return explain(caught.value, Root, origins or {})


def test_a_secret_that_does_not_fit_is_not_repeated() -> None:
    (line,) = _problems('{"access": {"api_key": "hunter2"}}')
    assert line.startswith("access.api_key: *** was given; ")


def test_a_problem_of_a_section_has_the_origin_of_what_it_holds() -> None:
    origins: dict[Steps, Origin] = {("access", "api_key"): Origin("file", "podium.yaml:7")}
    assert _problems('{"access": []}', origins) == ["podium.yaml:7: access: should be a mapping"]


class Inner(Group):
    port: int = 1


class Entry(Group):
    inner: Inner = Inner()
    weight: int = 1


class Named(Group):
    entries: dict[str, Entry] = Field({}, description="By name.")


def test_an_entry_that_is_called_like_a_setting_is_still_an_entry() -> None:
    with pytest.raises(ValidationError) as caught:
        Named.model_validate_json('{"entries": {"inner": {"wieght": 1, "inner": {"prot": 1}}}}', strict=True)
    assert explain(caught.value, Named, {}) == [
        "entries.inner.inner.prot: unknown key; did you mean entries.inner.inner.port? Known here: port",
        "entries.inner.wieght: unknown key; did you mean entries.inner.weight? Known here: inner, weight",
    ]
