"""What anybody's splitter wrote down is read, or refused with its line."""

from __future__ import annotations

import json

import pytest

from podium.core.errors import InvalidRequest
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.recording import parse_recording

ROW = '{"interval": 1, "stable_attempts": 1, "stable_bad": 0, "canary_attempts": 1, "canary_bad": 0}'
HEAD = "interval,stable_attempts,stable_bad,canary_attempts,canary_bad"


def test_csv_and_json_lines_of_the_same_counts_are_the_same_recording() -> None:
    text = f"{HEAD},stable_ttft_seconds,canary_ttft_seconds\n0,45,1,5,0,0.1 0.2,0.3\n5,40,0,6,1,,\n"
    rows = [
        {"stable_attempts": 45, "stable_bad": 1, "canary_attempts": 5, "canary_bad": 0},
        {"stable_attempts": 40, "stable_bad": 0, "canary_attempts": 6, "canary_bad": 1},
    ]
    times = [([0.1, 0.2], [0.3]), ([], [])]
    lines = [
        json.dumps({"interval": 5 * n, **row, "stable_ttft_seconds": stable, "canary_ttft_seconds": canary})
        for n, (row, (stable, canary)) in enumerate(zip(rows, times, strict=True))
    ]
    recording = parse_recording(text, "csv")
    assert parse_recording("\n\n".join(lines), "jsonl") == recording
    assert recording.metrics == {"errors", "ttft"}
    assert recording.intervals[0].interval.counts["errors"] == Stratum(45, 1, 5, 0)
    assert recording.intervals[0].interval.samples["ttft"].stable == (0.1, 0.2)
    assert recording.counted_share == 11 / 96


def test_every_metric_has_its_columns() -> None:
    more = "stable_aborted,canary_aborted,stable_invalid,canary_invalid,stable_assigned,canary_assigned,share"
    recording = parse_recording(f"{HEAD},{more}\na,45,1,5,0,2,1,3,2,44,6,0.1\n", "csv")
    interval = recording.intervals[0].interval
    assert recording.metrics == {"errors", "aborted", "validity"}
    assert interval.counts["aborted"] == Stratum(45, 2, 5, 1)
    assert interval.counts["validity"] == Stratum(45, 3, 5, 2)
    assert interval.assignments == (44, 6)
    assert recording.intervals[0].share == 0.1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no intervals; needed: rows with interval"),
        (HEAD, "no intervals"),
        (f"{HEAD},canary_borted\n0,1,0,1,0,0", "line 2: unknown column canary_borted; did you mean canary_aborted?"),
        (f"{HEAD},zzz\n0,1,0,1,0,0", "known: interval"),
        ("interval,stable_attempts\n0,1", "missing stable_bad, canary_attempts, canary_bad; found: interval"),
        (f"{HEAD},canary_aborted\n0,1,0,1,0,0", "missing stable_aborted"),
        (f"{HEAD}\n0,1,0,1", "line 2: more or fewer cells"),
        (f"{HEAD}\n0,1,0,1,0,7", "line 2: more or fewer cells"),
        (f"{HEAD}\n0,1,0,1,0\n5,many,0,1,0", "line 3: Expected `int`"),
        (f"{HEAD}\n0,1,0,1,2", "line 2: canary: 2 bad of 1 attempts"),
        (f"{HEAD}\n0,-1,0,1,0", "line 2: stable: 0 bad of -1 attempts"),
        (f"{HEAD}\n0,1,0,1,0\n0,1,0,1,0", "line 3: interval 0 stood in line 2 already"),
        (f"{HEAD},share\n0,1,0,1,0,10", "a share of 10; needed: above 0, at most 1"),
        (f"{HEAD},stable_assigned,canary_assigned\n0,1,0,1,0,-1,0", "assignments below 0"),
        (f"{HEAD},stable_itl_seconds,canary_itl_seconds\n0,1,0,1,0,-0.1,", "a duration of -0.1 s"),
        (f"{HEAD},stable_itl_seconds,canary_itl_seconds\n0,1,0,1,0,0.1 inf,", "a duration of inf s"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_line_and_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_recording(text, "csv")
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", "line 1: not a JSON object"),
        ("{", "line 1: not a JSON object"),
        (
            '{"interval": 1, "stable_attempts": 1.5, "stable_bad": 0, "canary_attempts": 1, "canary_bad": 0}',
            "line 1: Expected `int`",
        ),
        (
            f'{ROW}\n{ROW[:-1]}, "share": 1}}',
            "line 2: share stands in some rows only",
        ),
    ],
)
def test_json_lines_that_cannot_be_used_are_refused_with_line_and_reason(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_recording(text, "jsonl")
    assert said in refused.value.message
