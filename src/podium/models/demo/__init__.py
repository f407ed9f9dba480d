"""The files of the built-in demo model; see docs/demo-model.md."""
