"""What is sent to a Redis server."""

from __future__ import annotations

from collections.abc import Sequence

Argument = str | bytes | int | float


def encode(commands: Sequence[Sequence[Argument]]) -> bytes:
    """The commands as they are sent, one after the other. Raises ``TypeError`` for what is no text and no number."""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for argument in command:
            data = _data(argument)
            parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)


def _data(argument: Argument) -> bytes:
    if isinstance(argument, bytes):
        return argument
    if isinstance(argument, str):
        return argument.encode("utf-8", "surrogatepass")
    if isinstance(argument, int | float) and not isinstance(argument, bool):
        return repr(argument).encode()
    raise TypeError(f"a command holds a {type(argument).__name__}; this is a bug")
