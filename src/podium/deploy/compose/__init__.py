"""The whole stack as a compose file: for one host, or for a Swarm. Renders text, and talks to nobody."""
