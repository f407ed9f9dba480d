"""Metrics and logs: what is counted, in one table, and how records look. Knows no engine and no HTTP."""
