"""How the controller marks its copies of requests, and how a Podium server says that it knows them for copies."""

from __future__ import annotations

FIELD = "x-podium-shadow"
"""In a request: the key of ``access.shadow_key_file``. In an answer: ``COUNTS_NOWHERE``."""
COUNTS_NOWHERE = "counts-nowhere"
