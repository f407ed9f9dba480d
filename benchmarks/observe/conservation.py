"""Row ``conservation``: at every scrape of a troubled server requests and tokens add up."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.loopback.podium_server import Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings
from podium.telemetry import table
from podium.testing.troubled_traffic import LIMITS, TROUBLED, TroubledTraffic

ROW = "conservation"
SECONDS, QUICK_SECONDS = 600.0, 10.0


def measure(around: Surroundings) -> None:
    """Ten minutes of traffic that ends in every way, with kills and reloads, scraped twenty times a second."""
    seconds = QUICK_SECONDS if around.quick else SECONDS
    before = around.quiet()
    engine: Any = TROUBLED["engine"]
    with podium_server(Wish(ROW, engine=engine, limits=LIMITS), around) as server:
        traffic = TroubledTraffic(
            f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{server.admin_port}", server.process.pid
        )
        asyncio.run(traffic.run(seconds))
    accounts = traffic.accounts
    tokens = (table.TOKENS_SAMPLED, table.TOKENS_DELIVERED, table.TOKENS_DISCARDED, table.TOKENS_UNREAD)
    around.record(
        ROW,
        values={"seconds": seconds, "pages": accounts.pages, "breaches": len(accounts.breaches)},
        breaches=accounts.breaches[:50],
        tried=dict(traffic.done),
        outcomes={name: count for name, count in accounts.outcomes.items() if count},
        tokens={metric.name: accounts.last[metric.name] for metric in tokens},
        restarts=accounts.last[table.WORKER_RESTARTS.name],
        before=before,
    )
