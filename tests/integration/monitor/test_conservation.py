"""Nothing is lost: at every scrape of a troubled server requests and tokens add up, and no counter goes back."""

from __future__ import annotations

import asyncio

import pytest

from podium.telemetry import table
from podium.testing.accounts import Accounts
from podium.testing.server_process import server_process
from podium.testing.troubled_traffic import LIMITS, TROUBLED, TroubledTraffic

SECONDS = 8.0


@pytest.mark.slow
def test_everything_adds_up_at_every_scrape_through_kills_hang_ups_refusals_and_reloads() -> None:
    with server_process(TROUBLED, server=LIMITS) as server:
        traffic = TroubledTraffic(server.traffic, server.admin, server.process.pid)
        asyncio.run(traffic.run(SECONDS))
    accounts = traffic.accounts
    assert accounts.breaches == []
    assert accounts.pages > 20
    assert {"kill", "reload", "hang_up", "broken"} <= set(traffic.done), traffic.done
    happened = {outcome for outcome, count in accounts.outcomes.items() if count}
    assert {"ok", "client_error", "overloaded", "cancelled", "deadline", "stream_error"} <= happened
    assert accounts.last[table.TOKENS_UNREAD.name] == 0
    assert accounts.last[table.TOKENS_DISCARDED.name] > 0
    assert accounts.last[table.WORKER_RESTARTS.name] > 0


PAGE = """# TYPE podium_requests_received_total counter
podium_requests_received_total{{route="/generate"}} {received}
podium_requests_in_flight{{route="/generate"}} 1
# TYPE podium_requests_total counter
podium_requests_total{{model="m",version="1",route="/generate",outcome="ok"}} 4
podium_output_tokens_sampled_total{{model="m",version="1"}} {sampled}
podium_output_tokens_delivered_total{{model="m",version="1"}} 5
podium_output_tokens_discarded_total{{model="m",version="1"}} 2
podium_output_tokens_unread{{model="m",version="1"}} 1
"""


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        ([(5, 8)], []),
        ([(6, 8)], ["requests"]),
        ([(5, 9)], ["tokens"]),
        ([(7, 8), (5, 8)], ["requests", "went back"]),
    ],
)
def test_a_page_that_does_not_add_up_is_noticed(pages: list[tuple[int, int]], told: list[str]) -> None:
    accounts = Accounts()
    for received, sampled in pages:
        accounts.read(PAGE.format(received=received, sampled=sampled))
    assert len(accounts.breaches) == len(told)
    assert all(word in breach for word, breach in zip(told, accounts.breaches, strict=True))
