"""The connection to the shared store (Redis), bounded in time and in bytes. Knows nothing of what is kept there.

``link`` is what others use; below it ``pool``, ``connection`` and ``reply`` speak to the server, ``breaker``
decides whether it is asked, ``patience`` how long it is waited for.
"""
