"""Row ``keys``: drawn requests that differ never share a key of the cache."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.access.borrowed import tests_module
from benchmarks.loopback.surroundings import Surroundings

ROW = "keys"
TESTS = "unit/cache/test_key"
EXAMPLES_OF_A_FIELD, EXAMPLES_OF_PAIRS, EXAMPLES_OF_TEXTS = 500, 5_000, 10_000
"""Of the tests' own properties, with far more examples than the tests take."""


def measure(around: Surroundings) -> None:
    """The properties of tests/unit/cache/test_key.py, one after the other; a failure is an example that was found."""
    module = tests_module(TESTS)
    share = 50 if around.quick else 1
    counts: Counter[str] = Counter()
    failures: list[str] = []
    before, started = around.quiet(), time.monotonic()
    for name, examples, strategies, holds in _properties(module):
        try:
            counts[name] = _examples(holds, strategies, examples // share)
        except AssertionError as error:
            failures.append(f"{name}: {error}"[:1000])
    values = {
        "examples": counts.total(),
        "shared_keys": len(failures),
        "fields": len(module.FIELDS) + len(module.names(module.ModelIdentity)),
        "seconds": round(time.monotonic() - started, 1),
    }
    around.record(ROW, values=values, examples=counts, failures=failures, before=before)


_Property = tuple[str, int, tuple[Any, ...], Callable[..., None]]


def _properties(module: ModuleType) -> Iterator[_Property]:
    """Name, number of examples, what is drawn, and the body of the test."""
    differ = module.test_requests_that_differ_in_one_field_have_different_keys.hypothesis.inner_test
    for kind, found in module.FIELDS:
        name = f"{kind.__name__}.{found.name}"
        yield name, EXAMPLES_OF_A_FIELD, (st.data(),), _of(differ, kind, found)
    models = module.test_models_that_differ_in_one_fact_have_different_keys.hypothesis.inner_test
    for fact in sorted(module.names(module.ModelIdentity)):
        yield f"ModelIdentity.{fact}", EXAMPLES_OF_A_FIELD, (st.data(),), _of(models, fact)
    pairs = module.test_two_requests_share_a_key_exactly_when_they_ask_the_same.hypothesis.inner_test
    yield "pairs of requests", EXAMPLES_OF_PAIRS, (module.requests, module.requests), pairs
    moved = module.test_text_that_moves_between_fields_changes_the_key.hypothesis.inner_test
    texts = st.lists(st.text("as1:N", max_size=3), min_size=module.PARTS, max_size=module.PARTS)
    drawn = (st.sampled_from(module.SEPARATORS), texts, st.data())
    yield "text that moves between fields", EXAMPLES_OF_TEXTS, drawn, moved


def _of(test: Callable[..., None], *arguments: Any) -> Callable[..., None]:
    return lambda *drawn: test(*arguments, *drawn)


def _examples(holds: Callable[..., None], strategies: tuple[Any, ...], most: int) -> int:
    """How many drawn examples it held for. Raises the first one's ``AssertionError`` that it did not hold for."""
    held = 0

    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*strategies))
    def check(drawn: tuple[Any, ...]) -> None:
        nonlocal held
        holds(*drawn)
        held += 1

    check()
    return held
