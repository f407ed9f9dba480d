"""``podium tune`` on this machine with a model of GPT-2's shape. ``python -m benchmarks.tuning``."""
