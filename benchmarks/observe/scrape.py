"""Row ``scrape``: the processor time that one scrape takes of a server that has served.

What row ``cost`` measures as lost throughput is small against the noise of its rounds; this is what it is made of.
"""

from __future__ import annotations

import time

import httpx

from benchmarks.loopback import wrk
from benchmarks.loopback.podium_server import MODEL, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.observe.cost import LOAD_CORE, PATH, SERVER_CORE
from benchmarks.serving.machine import CpuMeter

ROW = "scrape"
SCRAPES, QUICK_SCRAPES = 1000, 50
ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"  # what a Prometheus asks for
NAME = "server"


def measure(around: Surroundings) -> None:
    """Some load first, so that all series are there; then scrapes alone, and as long a time without any."""
    scrapes = QUICK_SCRAPES if around.quick else SCRAPES
    before = around.quiet()
    engine = {"token_interval_seconds": 0.0, "max_batch_sequences": 32}
    with podium_server(Wish(ROW, engine=engine, core=SERVER_CORE), around) as server:
        bodies = [{"model": MODEL, "prompt": f"say {number}", "max_tokens": 8} for number in range(64)]
        target = wrk.Target(server.port, PATH, bodies, "none")
        wrk.run(target, wrk.Load(2, LOAD_CORE, around.work / "load.lua"))
        meter, page = CpuMeter({NAME: server.process.pid}), b""
        with httpx.Client(trust_env=False, timeout=10.0, headers={"accept": ACCEPT}) as client:
            for _ in range(scrapes):
                page = client.get(f"http://127.0.0.1:{server.admin_port}/metrics").raise_for_status().content
        busy = meter.stop()
        meter = CpuMeter({NAME: server.process.pid})
        time.sleep(busy["wall"])
        idle = meter.stop()
    around.record(
        ROW,
        values={
            "scrapes": scrapes,
            "cpu_ms": 1000 * (_used(busy) - _used(idle)) / scrapes,
            "page_bytes": len(page),
            "series": sum(bool(line) and not line.startswith(b"#") for line in page.splitlines()),
        },
        before=before,
    )


def _used(seconds: dict[str, float]) -> float:
    return sum(value for name, value in seconds.items() if name.partition("/")[0] == NAME)
