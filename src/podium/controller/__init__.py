"""The control plane's composition root: settings in, a running controller out. Imports no server."""
