"""Prompts have exactly the asked number of tokens, or there is an error."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from podium.bench.plan import Length, Load, RunPlan, Turn, Workload
from podium.bench.prompts import learn, text_of
from podium.bench.workload import Requests, length
from podium.core.errors import InvalidRequest
from support.load_plans import plan_for


def drawing(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - texts, not secrets


class Counter:
    """Counts by a function."""

    source = "the test"

    def __init__(self, count: Callable[[str], int]) -> None:
        self.count = count

    def plain(self, text: str) -> int | None:
        return self.count(text)


VOCABULARIES: dict[str, Callable[[str], int]] = {
    "words": lambda text: len(text.split()),
    "words and a template": lambda text: len(text.split()) + 11,
    "bytes": len,
    "bytes and a first token": lambda text: len(text) + 1,
}


@pytest.mark.parametrize("count", VOCABULARIES.values(), ids=VOCABULARIES)
@pytest.mark.parametrize("tokens", [1, 2, 7, 300])
def test_a_text_has_exactly_the_asked_tokens(count: Callable[[str], int], tokens: int) -> None:
    words = learn(Counter(count), [tokens])
    for seed in range(20):
        assert count(text_of(words, tokens, drawing(seed))) == tokens + words.overhead


def test_a_vocabulary_in_which_nothing_adds_up_is_an_error_and_not_a_guess() -> None:
    with pytest.raises(InvalidRequest, match="cannot be made"):
        learn(Counter(lambda text: len(text) * 2 // 3), [10])


def _plan(**changes: object) -> RunPlan:
    words = learn(Counter(VOCABULARIES["words and a template"]), [50])
    return plan_for("http://127.0.0.1:1", words=words, workload=Workload(**changes))  # type: ignore[arg-type]


def test_a_prompt_includes_the_template_and_shares_its_prefix_with_its_group() -> None:
    plan = _plan(prompt=Length(mean=60, std=5), shared_prefix_tokens=20, prefix_groups=2)
    requests = Requests(plan)
    planned = [requests.planned(index, 0.0, 0) for index in range(40)]
    count = VOCABULARIES["words and a template"]
    assert all(count(one.ask.text) == one.prompt_tokens for one in planned)
    assert len({tuple(one.ask.text.split()[:20]) for one in planned}) == 2
    assert len({one.ask.text for one in planned}) == 40


def test_a_request_depends_on_plan_seed_and_index_alone() -> None:
    plan = _plan(prompt=Length(mean=60), cancel_share=0.5)
    first = Requests(plan).planned(7, 1.0, 0)
    other = Requests(plan)
    other.planned(3, 0.0, 0)
    assert other.planned(7, 1.0, 0) == first


def test_requests_of_a_trace_share_the_text_of_the_blocks_that_they_share() -> None:
    turns = [
        Turn(at=0.0, prompt_tokens=50, output_tokens=3, blocks=[1, 2, 9], block_tokens=16),
        Turn(at=1.0, prompt_tokens=45, output_tokens=4, blocks=[1, 2, 8], block_tokens=16),
    ]
    plan = _plan(kind="trace", turns=turns)
    requests = Requests(plan)
    one, two = (requests.planned(index, 0.0, 0) for index in (0, 1))
    count = VOCABULARIES["words and a template"]
    assert (count(one.ask.text), count(two.ask.text)) == (50, 45)
    assert one.ask.text.split()[:32] == two.ask.text.split()[:32]
    assert one.ask.text.split()[32:] != two.ask.text.split()[32:]
    assert (one.ask.output_tokens, two.ask.output_tokens) == (3, 4)


def test_lengths_stay_within_their_bounds() -> None:
    draw = drawing(1)
    drawn = [length(Length(mean=10, std=8, least=5, most=12), draw) for _ in range(200)]
    assert (min(drawn), max(drawn)) == (5, 12)
    assert Load(kind="closed").open_loop is False
