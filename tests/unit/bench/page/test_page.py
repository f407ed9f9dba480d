"""The report as text."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from podium.bench.page.chart import Axis, Chart, Line, draw
from podium.bench.page.many_charts import front_of, knee
from podium.bench.page.page import render
from podium.bench.page.run_charts import distributions, over_time
from podium.bench.page.run_view import RunView
from podium.bench.record import Failure, Outcome, RequestRecord
from podium.bench.result import Invalidity, Reason
from podium.bench.sampling import Sample
from support.bench_runs import made_up_phases, request, run_of, run_with

STARTED = 1795780800.0  # the start of support.bench_runs.provenance, in unix seconds
RECORDS = [request(0.1 * number, 0.05 + 0.001 * (number % 40), index=number) for number in range(320)]
FAILED = request(5.0, index=900, outcome=Outcome.FAILED, failure=Failure.TRUNCATED, detail="cut <b>off</b>")
SAMPLES = [Sample(at=STARTED + second, cpu_ratio=0.4, memory_ratio=0.3, running=3, waiting=1) for second in range(32)]


def view(records: list[RequestRecord] | None = None, **changes: Any) -> RunView:
    used = RECORDS if records is None else records
    return replace(RunView(run_of(used), used, SAMPLES), **changes)


def test_a_report_needs_nothing_from_outside() -> None:
    page = render([view()], price_per_hour=1.0)
    assert page.startswith("<!doctype html>")
    assert "default-src 'none'" in page
    assert not re.search(r"https?://(?!127\.0\.0\.1:1)", page)
    assert "<script" not in page
    assert len(page) < 3_000_000


def test_a_long_run_does_not_make_a_large_report() -> None:
    many = [request(0.004 * number, 0.05, index=number, tokens=20) for number in range(8_000)]
    assert len(render([view(many)])) < 500_000


def test_an_invalid_run_shows_its_reasons_and_no_figure() -> None:
    invalid = [Invalidity(reason=Reason.CLIENT_CPU, detail="a worker used 97% of a core")]
    page = render([replace(view(), result=run_of(RECORDS, invalid=invalid))], price_per_hour=1.0)
    assert "INVALID" in page
    assert "a worker used 97% of a core" in page
    for headline in ("Summary", "TTFT p95", "cost of a million", "Time per output token"):
        assert headline not in page


def test_a_run_without_streams_says_that_its_token_times_are_not_defined() -> None:
    whole = [
        msgspec.structs.replace(one, first_token_at=None, first_output_at=None, token_at=[], frames=0)
        for one in RECORDS
    ]
    plan = {**run_of(whole).plan, "target": {"streamed": False}}
    page = render([replace(view(whole), result=msgspec.structs.replace(run_of(whole), plan=plan))])
    assert page.count("not defined") == 4  # TTFT twice, TPOT, ITL
    assert "end to end p95, from the planned time" in page
    assert "TTFT p95" not in page


def test_the_server_s_tokens_a_second_stand_beside_those_that_were_received() -> None:
    samples = [msgspec.structs.replace(one, output_tokens=50.0 * number) for number, one in enumerate(SAMPLES)]
    chart = over_time(view(samples=samples))[2]
    assert [line.name for line in chart.lines] == ["received", "delivered, as the server says"]
    assert chart.lines[1].ys == [50.0] * 31
    assert chart.lines[1].xs[0] == pytest.approx(1.0)


def test_an_invalid_run_among_others_has_no_figures_either() -> None:
    bad = run_with(invalid=[Invalidity(reason=Reason.NOT_STATIONARY, detail="TTFT rises")], output_throughput=777.0)
    page = render([view(), RunView(bad)])
    assert "TTFT rises" in page
    assert "777" not in page


def test_what_a_server_says_cannot_become_part_of_the_page() -> None:
    page = render([view([*RECORDS, FAILED])])
    assert "cut &lt;b&gt;off&lt;/b&gt;" in page
    assert "truncated" in page


def test_a_chart_without_data_is_left_out_and_named() -> None:
    page = render([view(samples=[])])
    assert "Not drawn, since there is no data for it: Host and server." in page
    with pytest.raises(AssertionError):
        draw(Chart("empty", [Line("", [], [])], Axis(""), Axis("")))


def test_server_and_host_are_on_the_axis_of_the_requests() -> None:
    charts = {chart.title: chart for chart in over_time(view())}
    spans = {chart.x.span for chart in charts.values()}
    assert len(spans) == 1
    running = next(line for line in charts["Requests"].lines if line.name.startswith("running"))
    assert running.points()[0] == (0.0, 3)


def test_a_cdf_ends_at_every_request() -> None:
    for chart in distributions(view()):
        for line in chart.lines:
            shares = [share for _, share in line.points()]
            assert shares == sorted(shares)
            assert shares[-1] == 1.0


def test_the_time_bar_is_drawn_only_when_the_server_is_known() -> None:
    assert "Not known without the request log" in render([view()])
    page = render([view(phases=made_up_phases(RECORDS))])
    assert "waiting for a place in the engine" in page
    assert "in the gateway, attempts that failed before the last one included" in page
    assert 'class="tone7"' in page


def test_two_loads_show_no_knee_and_three_do() -> None:
    runs = [
        run_with(request_throughput=rate, ttft_scheduled=0.1 * rate, plan={"load": {"rate": rate}})
        for rate in (1.0, 2.0, 4.0)
    ]
    assert all(chart.is_empty() for chart in knee(runs[:2]))
    assert not knee(runs)[0].is_empty()


def test_repeats_of_one_load_show_no_knee_whatever_they_answered() -> None:
    runs = [run_with(request_throughput=rate, ttft_scheduled=0.1 * rate) for rate in (1.0, 2.0, 4.0)]
    assert all(chart.is_empty() for chart in knee(runs))


def test_the_front_is_what_nothing_beats() -> None:
    assert front_of([(1, 10), (2, 8), (1.5, 7), (3, 1), (2, 2)]) == [(1, 10), (2, 8), (3, 1)]


def test_a_million_tokens_cost_what_the_machine_costs_meanwhile() -> None:
    run = run_with(output_throughput=100.0)
    page = render([RunView(msgspec.structs.replace(run, name=name)) for name in ("a", "b")], price_per_hour=0.36)
    assert ">1</td>" in page  # 0.36 / 3600 / 100 * 1e6
