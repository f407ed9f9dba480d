"""Programs that measure Podium. They see it as its users do: over HTTP, or by its command line."""
