"""Writes the Grafana dashboard from the panels of ``podium.deploy.prometheus.panels``.

``python scripts/dashboard.py`` writes it into the package; ``--check`` changes nothing and exits 1 when it differs.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh

from podium.deploy.prometheus.panels import ROWS, Panel
from podium.telemetry import table

PATH = Path(__file__).resolve().parents[1] / "src/podium/deploy/prometheus/dashboard.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT, COLUMNS = 8, 24


def dashboard_json() -> str:
    """The whole dashboard; its data source and models are chosen on the page, so that it works anywhere."""
    builder = (
        dashboard.Dashboard("Podium")
        .uid("podium")
        .tags(["podium"])
        .refresh("10s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("model")
            .label("Model")
            .datasource(SOURCE)
            .query(f"label_values({table.MODEL_STATE.name}, model)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
        )
    )
    for title, panels in ROWS.items():
        builder = builder.with_row(dashboard.Row(title))
        for panel in panels:
            builder = builder.with_panel(chart(panel, COLUMNS // len(panels)))
    return JSONEncoder(sort_keys=True, indent=2).encode(builder.build()) + "\n"


def chart(panel: Panel, width: int) -> timeseries.Panel:
    """A chart of its queries."""
    built = timeseries.Panel().title(panel.title).unit(panel.unit).datasource(SOURCE).height(HEIGHT).span(width)
    built = built.legend(common.VizLegendOptions().show_legend(True))
    if panel.description or panel.needs:
        words = f"Empty without {panel.needs}." if panel.needs else panel.description
        built = built.description(words)
    for number, (legend, query) in enumerate(panel.queries.items()):
        target = prometheus.Dataquery().expr(query).legend_format(legend).ref_id(chr(ord("A") + number))
        built = built.with_target(target)
    return built


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    text = dashboard_json()
    if arguments.check:
        if PATH.read_text("utf-8") != text:
            print("the dashboard is not what its panels say; run `make docs`", file=sys.stderr)
            return 1
        return 0
    PATH.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
