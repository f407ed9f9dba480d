"""The group ``podium bench``: load tests. What they do is in ``podium.bench``; here are options and displays."""
