"""Checks rendered manifests for what only shows when objects are looked at together. Knows files, never a cluster."""
