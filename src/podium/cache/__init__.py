"""Answers that were computed before: what identifies one, and where it is kept. Knows no HTTP and no engine."""
