"""Demonstrations: a real stack, a real load and a real fault on one machine. Showing them is the command line's part.

``canary.py`` puts ``fault_proxy.py`` (makes the failures and counts them) and ``load.py`` (sends the requests and
counts what comes back) around a ``podium.supervisor.stack``.
"""
