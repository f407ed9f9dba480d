"""Stop strings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.engine.stops import StopMatcher


def feed(matcher: StopMatcher, pieces: list[str]) -> tuple[str, str | None]:
    out = ""
    for piece in pieces:
        text, met = matcher.push(piece)
        out += text
        if met is not None:
            return out, met
    return out + matcher.flush(), None


@pytest.mark.parametrize("pieces", [["one END two"], ["one E", "N", "D two"], list("one END two")])
def test_a_stop_string_is_found_wherever_the_token_borders_are(pieces: list[str]) -> None:
    assert feed(StopMatcher(("END",)), pieces) == ("one ", "END")


def test_the_earliest_match_wins() -> None:
    assert feed(StopMatcher(("b", "ab")), ["xxabyy"]) == ("xx", "ab")


def test_text_that_only_looked_like_a_stop_string_is_given_out() -> None:
    assert feed(StopMatcher(("END",)), ["EN", "ENX"]) == ("ENENX", None)


def test_nothing_ends_before_it_is_armed_but_a_later_end_still_counts() -> None:
    matcher = StopMatcher(("END",))
    assert matcher.push("END E", armed=False) == ("END ", None)
    assert matcher.push("ND", armed=True) == ("", "END")


@given(
    st.text(alphabet="abc", max_size=30),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=4), min_size=1, max_size=3),
    st.data(),
)
def test_cutting_the_text_differently_never_changes_the_result(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole, met = feed(StopMatcher(tuple(stops)), pieces)
    found = [text.find(stop) for stop in stops if stop in text]
    if met is None:
        assert not found
        assert whole == text
    else:
        # Character by character the first match to *end* is met; it never leaves a complete stop behind.
        assert text.startswith(whole + met)
        assert not any(stop in whole for stop in stops)
