"""One file for each command. No logic: parse, call, print through ``output``."""
