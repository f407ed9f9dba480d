"""What a caller wants of the response cache, said in the header ``Cache-Control`` and in the body."""

from __future__ import annotations

import re

from starlette.requests import Request

from podium.core.errors import InvalidRequest
from podium.core.generation import CacheControl
from podium.protocols.cache_control import MAX_AGE_SECONDS

HEADER = "Cache-Control"
MAX_CHARACTERS = 1024
# RFC 9110, 5.6: one element of a list, a token with an optional token or quoted string behind an equals sign.
_DIRECTIVE = re.compile(
    r"[ \t]*(?:(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)"
    r'(?:=(?:(?P<token>[!#$%&\'*+.^_`|~0-9A-Za-z-]+)|"(?P<quoted>(?:[^"\\]|\\.)*)"))?)?[ \t]*(?:,|\Z)'
)
_SECONDS = re.compile(r"[0-9]+\Z", re.ASCII)


def cache_control(request: Request, member: CacheControl | None) -> CacheControl:
    """The wishes of header and body together; where both say something, the stricter one holds.

    Of the header's directives ``no-cache``, ``no-store`` and ``max-age`` mean something here, the others
    nothing. Raises InvalidRequest for a header that is not a list of directives, or an age that is no number.
    """
    given = request.headers.getlist(HEADER)
    header = _parsed(",".join(given)) if given else CacheControl()
    if member is None:
        return header
    ages = [age for age in (header.max_age_seconds, member.max_age_seconds) if age is not None]
    return CacheControl(
        read=header.read and member.read,
        write=header.write and member.write,
        max_age_seconds=min(ages, default=None),
        force=member.force,
    )


def _parsed(text: str) -> CacheControl:
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequest(
            f"The header Cache-Control is too long. At most {MAX_CHARACTERS} characters are allowed.", param=HEADER
        )
    directives = _directives(text)
    ages = [_age(value) for name, value in directives if name == "max-age"]
    names = {name for name, _ in directives}
    return CacheControl(
        read="no-cache" not in names, write="no-store" not in names, max_age_seconds=min(ages, default=None)
    )


def _directives(text: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _DIRECTIVE.match(text, position)
        if match is None:
            raise InvalidRequest(
                "The header Cache-Control is malformed. Send directives such as `no-cache` or `max-age=60`, "
                "separated by commas.",
                param=HEADER,
            )
        if match["name"]:
            found.append((match["name"].lower(), match["token"] or match["quoted"] or ""))
        position = match.end()
    return found


def _age(value: str) -> float:
    if not _SECONDS.match(value):
        raise InvalidRequest(
            "The header Cache-Control needs whole seconds behind `max-age=`, such as `max-age=60`.", param=HEADER
        )
    return min(float(value), MAX_AGE_SECONDS)
