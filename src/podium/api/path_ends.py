"""Path parameters that take a name with slashes, but not the endings of other routes."""

from __future__ import annotations

import re

from starlette.convertors import Convertor, register_url_convertor


def register_name(convertor: str, *ends: str) -> None:
    """``{x:convertor}`` at the end of a path takes any name that does not end with one of ``ends``.

    So what ends like a route is that route, whatever the method: rights hang on it.
    """

    class Name(Convertor[str]):
        regex = "".join((".+", *(f"(?<!{re.escape(end)})" for end in ends)))

        def convert(self, value: str) -> str:
            return value

        def to_string(self, value: str) -> str:
            return value

    register_url_convertor(convertor, Name())
