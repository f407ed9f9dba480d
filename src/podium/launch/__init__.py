"""Podium's own programs as children of this one: started, heard by their logs, ended. Imports nothing of Podium."""
