"""``podium rollout judge``: a verdict, its evidence over time, and a status that scripts can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command import Command

HEAD = "interval,stable_attempts,stable_bad,canary_attempts,canary_bad"


def written(row: str, count: int, name: str = "counts.csv") -> str:
    Path(name).write_text("\n".join([HEAD, *(f"{5 * n},{row}" for n in range(count))]))
    return name


@pytest.mark.parametrize(
    ("row", "count", "status", "line"),
    [
        ("45,0,5,0", 400, 0, "ADVANCE (certified): the bad rate grows by "),
        ("45,0,5,2", 20, 10, "ROLLBACK (evidence): the canary is worse in errors: evidence reached "),
        ("45,0,5,0", 20, 11, "HOLD (evidence): needs 654 more canary requests, about 10.9 minutes at this traffic"),
        ("0,0,0,0", 50, 11, "HOLD (blind): the canary has had no attempt for 250 s"),
        ("25,0,25,0", 50, 11, "HOLD (instrumentation): the canary is declared 10.000% of traffic but counts 50.000%"),
    ],
    ids=["good", "bad", "too little", "no traffic", "wrong split"],
)
def test_each_verdict_has_its_status_and_its_reason(
    command: Command, row: str, count: int, status: int, line: str
) -> None:
    ended = command("rollout", "judge", written(row, count), "--share", "0.1")
    assert (ended.status, ended.err) == (status, "")
    assert ended.out.startswith(line)


def test_the_evidence_is_shown_over_time(command: Command) -> None:
    out = command("rollout", "judge", written("45,0,5,1", 30), "--share", "0.1").out.splitlines()
    assert out[1] == "since interval 15, 30 intervals read"
    rows = [line.split() for line in out if "of" in line.split()]
    assert [row[0] for row in rows][:2] == ["0", "10"]
    assert rows[-1][0] == "145"
    (sparkline,) = [line for line in out if line.startswith("evidence  ")]
    assert len(sparkline.split()[1]) == 30
    assert sparkline.split()[1].startswith("▂")
    assert sparkline.endswith("█")


def test_a_hold_offers_the_next_configured_share(command: Command) -> None:
    file = written("45,0,5,0", 20)
    assert "at a share of 25% it would take about 4." in command("rollout", "judge", file, "--share", "0.1").out
    assert "at a share" not in command("rollout", "judge", file, "--share", "0.1", "--set", "rollout.steps=[100]").out


def test_json_holds_verdict_and_every_look(command: Command) -> None:
    ended = command("rollout", "judge", written("45,0,5,2", 4), "--share", "0.1", "--json")
    shown = json.loads(ended.out)
    assert ended.status == 10
    assert (shown["verdict"], shown["reason"], shown["metric"]) == ("ROLLBACK", "evidence", "errors")
    assert [look["verdict"] for look in shown["looks"]] == ["HOLD", "ROLLBACK", "ROLLBACK", "ROLLBACK"]
    assert shown["looks"][-1]["log_e"] == shown["log_e_by_metric"]["errors"]
    assert shown["since_interval"] == "5"


def test_flags_and_configuration_set_how_sure_to_be(command: Command) -> None:
    file = written("45,0,5,2", 2)
    assert command("rollout", "judge", file, "--share", "0.1").status == 10
    assert command("rollout", "judge", file, "--share", "0.1", "--alpha", "1e-9").status == 11
    Path("podium.yaml").write_text("rollout: {alpha: 1.0e-9}\n")
    assert command("rollout", "judge", file, "--share", "0.1").status == 11
    good = written("45,0,5,0", 20)
    assert command("rollout", "judge", good, "--share", "0.1", "--max-bad-rate-increase", "0.1").status == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.csv",), "missing.csv: No such file"),
        (("counts.txt",), "the name should end in .csv, .jsonl, .ndjson"),
        (("folder.csv",), "Is a directory"),
        (("latin.csv",), "byte 3 is not UTF-8"),
        (("counts.csv",), "counts.csv: interval 0 names no share; give the one that your traffic splitter was told"),
        (("counts.csv", "--share", "10"), "--share 10; needed: above 0, at most 1"),
        (("counts.csv", "--share", "0.1", "--alpha", "2"), "rollout.alpha: 2.0 was given; should be less than 0.5"),
        (("broken.csv", "--share", "0.1"), "broken.csv: line 2: canary: 9 bad of 5 attempts"),
    ],
)
def test_input_that_cannot_be_used_ends_with_2_and_what_to_do(
    command: Command, arguments: tuple[str, ...], said: str
) -> None:
    written("45,0,5,0", 5)
    written("45,0,5,9", 5, "broken.csv")
    Path("folder.csv").mkdir()
    Path("latin.csv").write_bytes(b"int\xe9rval\n")
    ended = command("rollout", "judge", *arguments)
    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err


def test_a_table_saved_by_a_spreadsheet_is_read(command: Command) -> None:
    """With a byte order mark and carriage returns."""
    rows = "\r\n".join([HEAD, *(f"{n},45,0,5,2" for n in range(4))])
    Path("counts.csv").write_bytes(b"\xef\xbb\xbf" + rows.encode() + b"\r\n")
    assert command("rollout", "judge", "counts.csv", "--share", "0.1").status == 10
