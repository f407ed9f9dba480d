"""W3C Trace Context: what is continued, what is ignored, and which new traces are sampled."""

from __future__ import annotations

import re

import pytest

from podium.core.trace_context import continue_trace

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_a_callers_trace_goes_on_with_a_span_of_our_own() -> None:
    found = continue_trace(f"00-{TRACE}-{PARENT}-01", "vendor=1")
    assert (found.trace_id, found.parent_id, found.sampled, found.state) == (TRACE, PARENT, True, "vendor=1")
    assert found.span_id != PARENT
    assert found.header == f"00-{TRACE}-{found.span_id}-01"


def test_the_caller_decides_whether_its_trace_is_sampled() -> None:
    assert not continue_trace(f"00-{TRACE}-{PARENT}-00", ratio=1.0).sampled
    assert continue_trace(f"00-{TRACE}-{PARENT}-03", ratio=0.0).sampled


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert continue_trace(f"cc-{TRACE}-{PARENT}-01-what-the-future-holds").trace_id == TRACE


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE}-{PARENT}-01\n",
        f"00-{TRACE}-{PARENT}",
        f"cc-{TRACE}-{PARENT}-01more",
    ],
)
def test_what_breaks_the_rules_begins_a_new_trace(given: str | None) -> None:
    found = continue_trace(given, "vendor=1")
    assert found.trace_id != TRACE
    assert (found.parent_id, found.state) == (None, "")
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", found.header)


def test_the_share_of_new_traces_that_are_sampled_is_the_ratio() -> None:
    assert not any(continue_trace(None, ratio=0.0).sampled for _ in range(100))
    assert all(continue_trace(None, ratio=1.0).sampled for _ in range(100))
    assert 300 < sum(continue_trace(None, ratio=0.2).sampled for _ in range(2000)) < 500


def test_a_state_that_is_too_long_is_left_out() -> None:
    assert continue_trace(f"00-{TRACE}-{PARENT}-01", "x" * 513).state == ""
