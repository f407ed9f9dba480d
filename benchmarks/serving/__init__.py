"""The serving benchmark: Podium and its peers on the same work, in turns. ``python -m benchmarks.serving``."""
