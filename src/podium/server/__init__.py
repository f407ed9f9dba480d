"""The data plane's composition root: settings in, a running server out. The only place that chooses implementations."""
