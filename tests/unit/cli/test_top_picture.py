"""``podium top``: every figure where it belongs, and a dash for what is not known."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from podium.cli.top import figures
from podium.cli.top.picture import picture
from podium.protocols.monitoring import (
    BudgetBody,
    BudgetWindow,
    DashboardAnswer,
    EpisodeBody,
    GpuBody,
    GpusBody,
    ModelBody,
    ProblemBody,
    ReplicaBody,
    RequestsBody,
    SeenRequest,
)
from podium.protocols.recent_requests import RecentRequest

UNKNOWN: list[float | None] = [None, None]
POINTS = ("good", "bad", "excluded", "ttft_p50", "ttft_p95", "ttft_p99", "inter_token_p50", "inter_token_p95",
          "inter_token_p99", "e2e_p50", "e2e_p95", "e2e_p99", "prompt_tokens", "output_tokens", "running", "waiting",
          "cache_hit_rate", "kv_ratio", "memory_bytes")  # fmt: skip
LIMITS = {"running_limit": None, "queue_limit": None, "replicas_ready": None, "worker_restarts": None,
          "replicas_failed": None}  # fmt: skip


def model(**known: object) -> ModelBody:
    return ModelBody(**{"name": "gpt2", **dict.fromkeys(POINTS, UNKNOWN), **LIMITS, **known})  # type: ignore[arg-type]


def answer(**known: object) -> DashboardAnswer:
    series = ("good", "bad", "excluded", "in_flight", "gateway_requests", "gateway_errors", "retries")
    lists = ("models", "models_without_history", "environments", "replicas", "firing", "past", "alerts", "problems")
    usual = {
        "at": 0.0, "age_seconds": 0.4, "span": "5m", "step_seconds": 2, "count": 2, "status": "healthy",
        "kept_bytes": 1,
        "gpus": GpusBody(memory_ratio=UNKNOWN, utilization_ratio=UNKNOWN, watts=UNKNOWN, now=[]),
        "requests": RequestsBody(window_seconds=None, slowest=[], newest=[], sources=[]),
        "budget": BudgetBody(objective=0.99, left=None, windows=[]),
        **dict.fromkeys(series, UNKNOWN), **{name: [] for name in lists},
    }  # fmt: skip
    return DashboardAnswer(**{**usual, **known})  # type: ignore[arg-type]


def drawn(told: DashboardAnswer, *, now: DashboardAnswer | None = None, columns: int = 120) -> str:
    console = Console(file=io.StringIO(), width=columns)
    console.print(picture(told, now or told, "http://here", columns=columns))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def row(text: str, first: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(first)).split()


def test_figures_stand_under_their_names() -> None:
    ended = {"good": [1.0, 9.5], "bad": [0.0, 0.5], "excluded": [0.0, 2.0]}
    told = model(**ended, ttft_p50=[0.1, 0.012], running=[1, 3], running_limit=8.0)
    text = drawn(answer(models=[told], **ended))
    assert row(text, "gpt2")[:3] == ["gpt2", "12.0", "0.50"]
    assert row(text, "requests/s")[1] == "12.0"
    assert "12 ms" in text
    assert "3/8" in text


def test_what_is_not_known_is_a_dash_and_no_zero() -> None:
    text = drawn(answer(models=[model()]))
    assert set(row(text, "gpt2")[1:]) == {"-"}
    assert row(text, "requests/s")[1] == "-"


def test_a_server_that_answers_garbage_is_told_with_what_is_wrong() -> None:
    replica = ReplicaBody(
        name="blue-1", environment="blue", address="http://x", state="garbage", problem="it is no exposition",
        age_seconds=None,
    )  # fmt: skip
    text = drawn(answer(replicas=[replica], problems=[ProblemBody(subject="blue-1", sentence="it is no exposition")]))
    assert row(text, "blue-1")[:4] == ["blue-1", "garbage", "-", "-"]
    assert "! blue-1: it is no exposition" in text


def test_alerts_that_fire_stand_above_the_figures_and_ended_ones_below() -> None:
    fired = EpisodeBody(
        rule="HighErrorRate", severity="page", subject="gpt2", sentence="it fails", fingerprint="f", fired_at=1.0
    )
    past = msgspec.structs.replace(fired, rule="KvCacheFull", ended_at=61.0, end="no data")
    text = drawn(answer(models=[model()], firing=[fired], past=[past]))
    assert text.index("HighErrorRate gpt2") < text.index("req/s") < text.index("KvCacheFull gpt2")
    assert "its data ended after 1 min" in text


def test_the_slowest_requests_are_told_by_the_name_of_their_trace() -> None:
    slow = RecentRequest(
        at=1.0, request_id="req-1", trace_id="4bf92f3577b34da6a3ce929d0e0e4736", route="/generate", model="gpt2",
        version="1", status=200, outcome="ok", e2e_seconds=3.5, output_tokens=7,
    )  # fmt: skip
    plain = msgspec.structs.replace(slow, request_id="req-2", trace_id=None)
    seen = [SeenRequest(replica="blue-1", request=one) for one in (slow, plain)]
    text = drawn(answer(requests=RequestsBody(window_seconds=600.0, slowest=seen, newest=[], sources=[])))
    assert row(text, "4bf92f3577b34da6a3ce929d0e0e4736")[1:] == ["3.5", "s", "-", "7", "gpt2", "blue-1", "ok"]
    assert row(text, "req-2")[1:3] == ["3.5", "s"]


def test_a_gpu_has_a_row_and_no_gpu_has_none() -> None:
    gpu = GpuBody(replica="blue-1", gpu="0", used_bytes=4e9, size_bytes=8e9, utilization_ratio=0.5, watts=None)
    gpus = GpusBody(memory_ratio=UNKNOWN, utilization_ratio=UNKNOWN, watts=UNKNOWN, now=[gpu])
    assert row(drawn(answer(gpus=gpus)), "blue-1 0")[-2:] == ["50%", "-"]
    assert "GPU" not in drawn(answer())


def test_over_a_long_time_the_figures_are_still_those_of_now() -> None:
    """A step of a day's axis is ten minutes long: its mean says nothing of a server that ended two minutes ago."""
    ended = {"good": [8.0, 8.0], "bad": [0.0, 0.0], "excluded": [0.0, 0.0]}
    day = answer(models=[model(**ended, running=[4, 4])], **ended, in_flight=[4.0, 4.0], step_seconds=600)
    text = drawn(day, now=answer(models=[model()]))
    assert set(row(text, "gpt2")[1:]) == {"-"}
    assert row(text, "requests/s")[1:] == ["-", "██"]
    assert row(text, "in flight")[2] == "-"


def test_a_budget_of_which_little_is_known_says_so() -> None:
    day = BudgetWindow(seconds=86400, known_seconds=180.0, requests=9.0, bad_ratio=0.0, burn_rate=0.0)
    told = BudgetBody(objective=0.99, left=1.0, windows=[day])
    assert "(3 min of it known)" in drawn(answer(budget=told))
    whole = msgspec.structs.replace(day, known_seconds=86395.0)
    assert "known" not in drawn(answer(budget=msgspec.structs.replace(told, windows=[whole])))


def test_old_figures_are_called_old() -> None:
    assert "ago" in drawn(answer(age_seconds=30.0))
    assert "ago" not in drawn(answer(age_seconds=1.0))


def test_a_narrow_terminal_shows_whole_words() -> None:
    text = drawn(answer(models=[model()]), columns=80)
    assert "…" not in text
    assert "req/s" in text


@pytest.mark.parametrize(
    ("points", "told"),
    [([0.0, 1.0, 2.0], "▁▅█"), ([None, 1.0], " █"), ([0.0, 0.0], "▁▁"), ([None, None], "  "), ([1, 2, 3, 4], "▇█")],
)
def test_a_line_has_a_blank_where_nothing_is_known(points: list[float | None], told: str) -> None:
    assert figures.line(points, 3 if len(points) < 4 else 2) == told


@pytest.mark.parametrize(
    ("value", "told"), [(None, "-"), (0.0000004, "0 µs"), (0.012, "12 ms"), (2.51, "2.5 s"), (0.0, "0 µs")]
)
def test_a_time_has_a_unit(value: float | None, told: str) -> None:
    assert figures.seconds(value) == told
