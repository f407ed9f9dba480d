"""What the machine could do at most: read bandwidth and GEMM rates, measured; prints JSON.

A program of its own (``python -m benchmarks.serving.roofline``), because it imports the engine's library.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it would report to its makers

import numpy as np  # noqa: E402 - the line above comes first
import openvino as ov  # noqa: E402
from openvino import opset13 as ops  # noqa: E402

BUFFER_BYTES = 1536 * 1024**2
GEMM_ROWS, GEMM_SIZE = 1024, 2048
REPEATS = 9


def read_bandwidth(threads: int) -> float:
    """Bytes a second that ``threads`` threads read together from a buffer far larger than any cache of ours."""
    buffer = np.ones(BUFFER_BYTES // 8, dtype=np.float64)
    parts = np.array_split(buffer, threads)
    with ThreadPoolExecutor(threads) as pool:
        return max(
            _rate(lambda reduce=reduce: list(pool.map(reduce, parts)), BUFFER_BYTES)  # type: ignore[misc]
            for reduce in (np.max, np.sum, _dot)
        )


def gemm_rate(precision: str) -> float:
    """Floating-point (or integer) operations a second of one large matrix product in OpenVINO."""
    left = ops.parameter([GEMM_ROWS, GEMM_SIZE], np.float32)
    weights: Any = ops.constant(np.random.default_rng(0).standard_normal((GEMM_SIZE, GEMM_SIZE), dtype=np.float32))
    inputs: Any = left
    if precision == "int8":
        inputs = ops.fake_quantize(left, -4.0, 4.0, -4.0, 4.0, 256)
        weights = ops.fake_quantize(weights, -4.0, 4.0, -4.0, 4.0, 255)
    model = ov.Model([ops.result(ops.matmul(inputs, weights, False, True))], [left])
    hint = "f32" if precision == "f32" else "bf16"
    compiled = ov.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint})
    request = compiled.create_infer_request()
    data = np.random.default_rng(1).standard_normal((GEMM_ROWS, GEMM_SIZE), dtype=np.float32)
    request.infer([data])
    return _rate(request.infer, 2 * GEMM_ROWS * GEMM_SIZE * GEMM_SIZE)


def _dot(part: Any) -> Any:
    return np.dot(part, part)


def _rate(work: Callable[[], object], amount: float) -> float:
    """The best of several repeats: a roof is what the machine can do, not what it usually does."""
    best = 0.0
    for _ in range(REPEATS):
        started = time.perf_counter()
        work()
        best = max(best, amount / (time.perf_counter() - started))
    return best


def main() -> None:
    """Measure and print."""
    threads = int(sys.argv[1])
    rates = {f"{precision}_operations_per_second": gemm_rate(precision) for precision in ("f32", "bf16", "int8")}
    json.dump({"read_bytes_per_second": read_bandwidth(threads), **rates}, sys.stdout)


if __name__ == "__main__":
    main()
