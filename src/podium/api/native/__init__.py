"""Podium's own dialect: generate, batches, models and their life, version."""
