"""The highest rate that meets an objective, as an interval: where to look next, and when to stop.

Nothing here sends a request: a run at a rate comes in as counts, the next rate goes out (``next_step``).
"""
