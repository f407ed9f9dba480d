"""``podium demo``: things to watch. What runs is in ``podium.demo``; here is what is shown of it."""
