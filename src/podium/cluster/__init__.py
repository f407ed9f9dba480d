"""Kubernetes' API server as a pod sees it: who we are there, and which addresses are behind a Service. Reads only."""
