"""Files of callers, and batches of requests that run in the background: kept in one folder, run by who holds a lock.

``keeper`` is what the HTTP surface calls, ``runner`` what works through open batches. Knows no HTTP: a line is asked
through a function that the composition root gives.
"""
