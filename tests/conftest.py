"""What holds for every test: nothing may be left behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.leaks import Running, adopt_orphans

_PATIENCE_SECONDS = 3.0  # a process or thread that was told to stop needs a moment on a loaded machine


def pytest_configure() -> None:
    """See the orphans of the processes that tests start."""
    adopt_orphans()


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Fail a test whose threads, child processes or listening ports outlive it.

    What fixtures of a wider scope started before the test is not counted.
    """
    before = Running.now()
    yield
    leaks = before.leaked_since(patience_seconds=_PATIENCE_SECONDS)
    if leaks:
        before.end_new_children()
        pytest.fail("left behind: " + "; ".join(leaks), pytrace=False)
