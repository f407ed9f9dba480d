"""What is known of the running system, and when somebody must be told: scrapes, windows, alerts. Control plane only.

Imports no server and no web types; the controller puts it together, and the control routes show it.
"""
