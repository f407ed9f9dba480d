"""Renders the files that run Podium elsewhere, and checks such files. Reads and writes files, and talks to nobody."""
