"""Runs a local stack of processes: starts them, restarts what ends, merges their logs, and stops them in order."""
