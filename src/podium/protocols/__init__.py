"""Wire types of every dialect: what a request may say and what an answer holds. No HTTP, no I/O.

Shared by the server's API, the client and the load tester. ``openai`` and ``native`` hold requests and
answers, ``native_use`` those about usage and cache, ``sampling`` and ``cache_control`` the members that both
dialects share, ``sse`` the framing of events.
"""
