"""The words everything else speaks: errors, generation types, ids. No I/O, no HTTP, no settings."""
