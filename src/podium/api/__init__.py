"""The HTTP surface: the only package that knows requests, statuses and headers.

``app`` assembles the traffic port, ``admin_app`` the probes; ``middleware`` holds what every request
passes; ``openai`` and ``native`` are the dialects, which never import each other. Nothing here computes
tokens or decides which model runs: that is behind ``backend``.
"""
