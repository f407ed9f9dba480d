"""What every request passes, one concept a file, all of it pure ASGI.

Functions around a request would turn a broken stream into a clean end and lose context variables, so
there are none. ``podium.api.app`` has the order.
"""
