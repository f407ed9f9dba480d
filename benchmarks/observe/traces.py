"""Row ``traces``: what recording traces costs at full load, in throughput, by the share that is recorded."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.loopback import wrk
from benchmarks.loopback.podium_server import MODEL, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "traces"
SERVER_CORE, LOAD_CORE = 0, 1
ROUNDS, BLOCK_SECONDS = 9, 10
RATIOS = {"off": None, "tenth": 0.1, "all": 1.0}
PATH = "/v1/completions"


def measure(around: Surroundings) -> None:
    """A server for each share, loaded in turns; the order moves on by one each round."""
    rounds, seconds = (1, 2) if around.quick else (ROUNDS, BLOCK_SECONDS)
    before = around.quiet()
    rates: dict[str, list[float]] = {name: [] for name in RATIOS}
    engine = {"token_interval_seconds": 0.0, "max_batch_sequences": 32}
    bodies = [{"model": MODEL, "prompt": f"say {number}", "max_tokens": 8} for number in range(64)]
    with sink() as address, ExitStack() as stack:
        targets = {}
        for name, ratio in RATIOS.items():
            telemetry = {} if ratio is None else {"otlp_endpoint": address, "trace_ratio": ratio}
            wish = Wish(f"{ROW}-{name}", engine=engine, core=SERVER_CORE, sections={"telemetry": telemetry})
            targets[name] = wrk.Target(stack.enter_context(podium_server(wish, around)).port, PATH, bodies, "none")
            wrk.run(targets[name], wrk.Load(1, LOAD_CORE, around.work / "warm.lua"))
        names = list(RATIOS)
        for number in range(rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                found = wrk.run(targets[name], wrk.Load(seconds, LOAD_CORE, around.work / "load.lua"))
                rates[name].append(found["requests_per_second"])
    lost = {
        f"{name}_lost_ratio": 1 - statistics.median(b / a for a, b in zip(rates["off"], rates[name], strict=True))
        for name in ("tenth", "all")
    }
    medians = {f"{name}_rate": statistics.median(found) for name, found in rates.items()}
    around.record(ROW, values={"rounds": rounds, **medians, **lost}, rates=rates, before=before)


@contextmanager
def sink() -> Iterator[str]:
    """The address of a collector that takes everything and keeps nothing."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, name="collector")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
