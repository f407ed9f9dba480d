"""What is served, and its life: store, registry, lifecycle, dispatch. No HTTP types."""
