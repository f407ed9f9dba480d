"""Asyncio building blocks with no domain: named task groups, clock, back-off, signals. Imports nothing of Podium."""
