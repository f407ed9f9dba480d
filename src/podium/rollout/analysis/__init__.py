"""Whether a canary is worse than the stable version: pure functions on counts. No I/O, no clock, no settings.

Start with ``evidence.Evidence``, feed it ``interval.Interval`` values, and ask ``judgement.judge``.
"""
