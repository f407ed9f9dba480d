"""The report in a real browser, from disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.bench.page.page import render
from podium.bench.page.run_view import RunView
from podium.bench.sampling import Sample
from support.bench_runs import made_up_phases, request, run_of, run_with
from support.browser import browser

_STARTED = 1795780800.0


def _views() -> list[RunView]:
    records = [request(0.1 * number, 0.05 + 0.002 * (number % 30), index=number) for number in range(320)]
    samples = [Sample(at=_STARTED + at, cpu_ratio=0.5, memory_ratio=0.4, running=2, waiting=0) for at in range(32)]
    return [RunView(run_of(records), records, samples, made_up_phases(records))]


def _several() -> list[RunView]:
    rates = (1.0, 2.0, 4.0, 8.0)
    runs = [
        run_with(
            request_throughput=rate,
            output_throughput=60 * rate,
            ttft_scheduled=0.1 * rate,
            tpot=0.01 * rate,
            plan={"load": {"rate": rate}},
        )
        for rate in rates
    ]
    return [RunView(run) for run in runs]


@pytest.mark.parametrize("several", [False, True])
def test_the_report_opens_from_disk_fits_1280_pixels_and_has_no_empty_chart(
    tmp_path: Path,
    several: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    report = tmp_path / "report.html"
    report.write_text(render(_several() if several else _views(), price_per_hour=1.0), "utf-8")
    with browser(tmp_path / "profile") as page:
        page.open(report.as_uri())
        page.wait_for("the report", "document.readyState === 'complete' && !!document.querySelector('main')")
        for dark in (False, True):
            page.look(width=1280, dark=dark)
            assert page.run("document.documentElement.scrollWidth") <= 1280
        drawn = "[...document.querySelectorAll('figure svg')].map(svg => svg.querySelectorAll('path, circle').length)"
        counts = page.run(drawn)
        assert len(counts) == (3 if several else 9)
        assert min(counts) >= 1
        assert not page.complaints
