"""Rows that nobody can change unnoticed: each has a hash of itself and of the hash before."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

Table = Literal["events", "intervals"]
FIRST = bytes(32)
ENCODER = msgspec.json.Encoder(order="deterministic")

SCHEMA = "".join(
    f"""
CREATE TABLE IF NOT EXISTS {table} (
    seq INTEGER PRIMARY KEY CHECK (seq > 0),
    {column} NOT NULL,
    payload BLOB NOT NULL,
    previous BLOB NOT NULL,
    hash BLOB NOT NULL UNIQUE
) STRICT;
CREATE TRIGGER IF NOT EXISTS {table}_are_kept BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'append-only'); END;
CREATE TRIGGER IF NOT EXISTS {table}_are_fixed BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, 'append-only'); END;
"""
    for table, column in (("events", "actor TEXT"), ("intervals", "after_event INTEGER"))
)


def digest(*covered: object) -> bytes:
    """The hash of a row: of its number, its content and ``previous``, in this order."""
    return hashlib.sha256(ENCODER.encode(list(covered))).digest()
