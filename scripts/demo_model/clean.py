"""Decide which paragraphs are plain English prose, and normalise them."""

from __future__ import annotations

import hashlib
import re

_TYPOGRAPHY = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u2010": "-",
        "\u2011": "-",
        "\u2013": "-",
        "\u2014": " - ",
        "\u2026": "...",
        "\u00a0": " ",
        "\u2212": "-",
        "\u00ad": "",
        "\u200b": "",
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\u2192": "->",
    }
)
_STOP_TEXT = """
a an the this that it its which is are was be been to of in on for with by as at from or and if not no but
can may will must should has have does do when you
"""
_STOP_WORDS = frozenset(_STOP_TEXT.split())
_UNWANTED = re.compile(
    r"copyright|licen[cs]e|warrant(?:y|ies)|all rights reserved|redistribut|permission is hereby|"
    r"trademark|https?://|www\.|\S@\S+\.\w|\bISBN\b|deprecated since version|"
    r"new in version|changed in version|click here|table of contents|javascript|"
    r"\b(?:19|20)\d\d-\d\d-\d\d\b|mailing list|bugs? reports? to",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"\[\w{0,20}\]|\(\d\)|[{}<>|\\^~$#*`=;@]|_{2,}|\(\)")
_LEADING = re.compile(r"^(?:Note|Warning|Tip|Caution|Important|Bases?)\s*:?\s+(?=[A-Z])")

MIN_CHARS = 45
MAX_CHARS = 1500
MIN_LETTERS = 0.90
MIN_STOP_WORDS = 0.22
MAX_SYMBOL_RATE = 0.16


def normalise(text: str) -> str:
    """Return the paragraph with plain quotes, dashes and single spaces."""
    text = " ".join(text.translate(_TYPOGRAPHY).split())
    return _LEADING.sub("", text)


def is_prose(text: str) -> bool:
    """Tell whether a normalised paragraph reads as complete English sentences."""
    if not MIN_CHARS <= len(text) <= MAX_CHARS or text[-1] not in ".!?":
        return False
    if not (text[0].isupper() or text[0].isdigit()) or not text.isascii():
        return False
    if _UNWANTED.search(text):
        return False
    words = text.split()
    plain = [word.strip(".,;:!?()\"'").lower() for word in words]
    letters = sum(c.isalpha() or c.isspace() or c in ".,'-\"" for c in text) / len(text)
    stops = sum(word in _STOP_WORDS for word in plain) / len(words)
    symbols = len(_ENTRY.findall(text)) / len(words)
    return letters >= MIN_LETTERS and stops >= MIN_STOP_WORDS and symbols <= MAX_SYMBOL_RATE


def fingerprint(text: str) -> bytes:
    """Return a key that equal paragraphs share whatever their case and punctuation."""
    letters = re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
    return hashlib.blake2b(letters.encode(), digest_size=12).digest()


def first_sentences(text: str, limit: int) -> str:
    """Return the leading whole sentences of ``text`` that fit in ``limit`` characters."""
    kept = ""
    for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"])", text):
        longer = f"{kept} {sentence}".strip()
        if kept and len(longer) > limit:
            break
        kept = longer
    return kept if len(kept) <= limit else ""
