"""Reading server-sent events, however the bytes are cut."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.engine.adapters.sse import Event, EventReader, EventTooLarge


def test_an_event_ends_with_an_empty_line() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n") == [Event(b"a")]


def test_data_lines_of_one_event_are_joined() -> None:
    assert EventReader().feed(b"data: a\ndata:b\n\n") == [Event(b"a\nb")]


def test_a_line_end_that_is_cut_in_two_ends_one_line() -> None:
    reader = EventReader()
    assert reader.feed(b"data: a\r") == []
    assert reader.feed(b"\ndata: b\r\n\r\n") == [Event(b"a\nb")]


def test_comments_unknown_fields_and_empty_events_yield_nothing_but_count_as_lines() -> None:
    reader = EventReader()
    assert reader.feed(b": ping\n\nid: 4\nretry: 9\nevent: x\n\n") == []
    assert reader.lines == 6


def test_a_named_event_keeps_its_name_for_itself_alone() -> None:
    events = EventReader().feed(b"event: error\ndata: a\n\ndata: b\n\n")
    assert events == [Event(b"a", b"error"), Event(b"b")]


def test_a_byte_order_mark_is_skipped() -> None:
    assert EventReader().feed(b"\xef\xbb\xbfdata: a\n\n") == [Event(b"a")]


def test_a_line_beyond_the_bound_is_refused_before_its_end_comes() -> None:
    reader = EventReader(max_event_bytes=100)
    reader.feed(b"data: " + b"x" * 90)
    with pytest.raises(EventTooLarge):
        reader.feed(b"x" * 10)


def test_many_short_lines_of_one_event_are_refused_too() -> None:
    with pytest.raises(EventTooLarge):
        EventReader(max_event_bytes=100).feed(b"data: xxxxxxxxx\n" * 11)


@given(
    payloads=st.lists(st.text(alphabet="ab \u00e9\u4e16", max_size=8), max_size=5),
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, 200), max_size=20),
)
def test_the_events_do_not_depend_on_how_the_bytes_arrive(
    payloads: list[str], line_end: bytes, cuts: list[int]
) -> None:
    stream = b"".join(b"data: " + payload.encode() + line_end * 2 for payload in payloads)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = EventReader()
    events = [event for start, end in itertools.pairwise(edges) for event in reader.feed(stream[start:end])]
    assert events == [Event(payload.encode()) for payload in payloads]
