"""How often the load tester's statistics err, by simulation. ``python -m benchmarks.load_statistics``."""
