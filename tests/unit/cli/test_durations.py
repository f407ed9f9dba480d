from __future__ import annotations

import pytest

from podium.cli.durations import seconds_in, time_text
from podium.cli.failure import Failure


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("30s", 30), ("15m", 900), ("12h", 43200), ("90d", 7776000), ("4w", 2419200)]
)
def test_a_length_of_time_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert seconds_in(text, "--expires") == seconds


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5h", "1 d", "1y", "1d\n", "9999999d", "٣d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Failure, match=r"(?s)--expires .*30s, 15m, 12h, 90d or 4w"):
        seconds_in(text, "--expires")


def test_a_point_in_time_reads_the_same_everywhere() -> None:
    assert time_text(1_800_000_000) == "2027-01-15 08:00 UTC"
    assert time_text(None) is None
