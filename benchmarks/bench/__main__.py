"""``python -m benchmarks.bench ROW``: what the load tester promises, measured.

``oracle``: against the simulator's log. ``capacity``: against peers. ``by-hand``: on our own server, against another
client.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from pathlib import Path

from benchmarks.bench import by_hand, capacity, oracle
from podium.bench.provenance import checkout_commit, machine

ROWS = {"oracle": oracle, "capacity": capacity, "by-hand": by_hand}


def main() -> int:
    """Measure a row, print it, and add it to a raw file where one is named. 1 when a bar is missed."""
    arguments = _arguments()
    row = ROWS[arguments.row]
    header = {"at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "commit": checkout_commit(), **machine()}
    missed = 0
    with (arguments.out or Path(os.devnull)).open("a", encoding="utf-8") as raw:
        raw.write(json.dumps(header | {"command": sys.argv[1:]}) + "\n")
        for record in row.measure(arguments):
            print(row.line(record), flush=True)
            raw.write(json.dumps(record) + "\n")
            missed += not record["kept"]
    print(f"{missed} missed")
    return int(missed > 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("row", choices=ROWS)
    parser.add_argument("--quick", action="store_true", help="short runs: a check of the harness, not a measurement")
    parser.add_argument(
        "--arrivals", nargs="*", default=list(oracle.ARRIVALS), choices=oracle.ARRIVALS, help="oracle's"
    )
    parser.add_argument("--out", type=Path, help="raw file (JSON lines), added to")
    parser.add_argument("--model", type=Path, help="folder of the model that by-hand serves; none is the built-in one")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="Podium's workers")
    parser.add_argument("--peers", nargs="*", default=list(capacity.LEAST_RATIOS), choices=list(capacity.LEAST_RATIOS))
    parser.add_argument("--guidellm-python", default="", help="interpreter that has guidellm; none makes one")
    parser.add_argument("--aiperf-python", default="", help="interpreter that has aiperf; none makes one")
    parser.add_argument("--peers-folder", type=Path, help="where environments are made and kept; none is temporary")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
