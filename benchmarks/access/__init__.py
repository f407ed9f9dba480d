"""The access benchmark: keys, quotas, the response cache and a Redis that fails. ``python -m benchmarks.access``."""
