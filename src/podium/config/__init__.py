"""Settings: one frozen tree, its sources and its description. Parsed once, by the CLI; nothing reads it globally."""
