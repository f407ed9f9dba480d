"""The gateway benchmark: what Envoy and its controller add, carry and hide. ``python -m benchmarks.gateway``."""
