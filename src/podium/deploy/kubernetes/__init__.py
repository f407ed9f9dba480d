"""Kubernetes objects, one module for each kind. Each makes plain mappings of a plan and decides nothing."""
