"""The load tester: what to send, when, what came back, and whether the figures may be believed.

It sees a server only over the wire: nothing of the server, its engines or its settings is imported here. It does not
print and does not read arguments; the command line does. One file of results (``result.py``) is what every part
shares: a run writes it; comparison, search and report read it.
"""
