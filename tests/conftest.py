"""What holds for every test: nothing may be left behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
import pytest_timeout
from hypothesis import settings

from support.leaks import Running, adopt_orphans

_PATIENCE_SECONDS = 3.0  # a process or thread that was told to stop needs a moment on a loaded machine

# A commit is judged by the same examples each time; new ones are looked for on people's machines.
settings.register_profile("ci", derandomize=True)


def pytest_configure() -> None:
    """See the orphans of the processes that tests start, and draw examples as the place asks.

    A torchvision that was built for another torch breaks transformers, which works without one.
    """
    adopt_orphans()
    sys.modules.setdefault("torchvision", None)  # type: ignore[arg-type]
    if os.environ.get("CI"):
        settings.load_profile("ci")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give a second try its own time: pytest-timeout starts its timer once for all tries of a test."""
    if getattr(item, "execution_count", 1) > 1:
        item.ihook.pytest_timeout_cancel_timer(item=item)
        item.ihook.pytest_timeout_set_timer(item=item, settings=pytest_timeout._get_item_settings(item))


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
