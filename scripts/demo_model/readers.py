"""Turn documentation files into plain paragraphs and question-answer seeds.

Each reader returns a :class:`Document`: its paragraphs in reading order, and
``(subject, kind, explanation)`` seeds from which chat examples are built.
"""

from __future__ import annotations

import ast
import gzip
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Seed:
    """A subject of the documentation and the first paragraph that explains it."""

    subject: str
    kind: str
    explanation: str


@dataclass
class Document:
    """The paragraphs and chat seeds of one documentation file."""

    name: str
    paragraphs: list[str] = field(default_factory=list)
    seeds: list[Seed] = field(default_factory=list)


def squeeze(text: str) -> str:
    """Collapse runs of white space and drop paragraph signs."""
    return " ".join(text.replace("\u00b6", "").replace("\uf0c1", "").split())


_NAVIGATION = frozenset(
    {
        "sphinxsidebar",
        "sphinxsidebarwrapper",
        "navheader",
        "navfooter",
        "toc",
        "toctree-wrapper",
        "related",
        "breadcrumb",
        "docnav",
        "contents",
    }
)


class _BlockParser(HTMLParser):
    """Collect the text of paragraphs, list items, headings and terms."""

    _SKIP: ClassVar[frozenset[str]] = frozenset(
        {"pre", "table", "script", "style", "nav", "footer", "header", "sup", "svg", "title"}
    )
    _BLOCKS: ClassVar[frozenset[str]] = frozenset(
        {"p", "li", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "div", "section", "ul", "ol", "dl"}
    )

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[tuple[str, str]] = []
        self._kind = ""
        self._text: list[str] = []
        self._skipping: list[str] = []

    def _flush(self, kind: str) -> None:
        text = squeeze("".join(self._text))
        if text and self._kind not in {"", "div", "section", "ul", "ol", "dl"}:
            self.blocks.append((self._kind, text))
        self._kind, self._text = kind, []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self._SKIP or self._is_navigation(tag, attrs):
            self._skipping.append(tag)
        elif self._skipping:
            if tag == self._skipping[-1] and tag not in self._BLOCKS - {"div", "ul"}:
                self._skipping.append(tag)
        elif tag in self._BLOCKS:
            paragraph = tag == "div" and dict(attrs).get("class") == "para"
            self._flush("p" if paragraph else tag)
        elif tag == "br":
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag == self._skipping[-1]:
                self._skipping.pop()
        elif tag in self._BLOCKS:
            self._flush("")

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._text.append(data)

    @staticmethod
    def _is_navigation(tag: str, attrs: list[tuple[str, str | None]]) -> bool:
        if tag not in {"div", "ul"}:
            return False
        return not _NAVIGATION.isdisjoint((dict(attrs).get("class") or "").split())


def _read_text(path: Path) -> str:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


_SIGNATURE = re.compile(r"^(?:(?:class|exception|async|classmethod|static)\s+)*([A-Za-z_][\w.]*)\s*\(")
_TERM = re.compile(r"^-{0,2}[A-Za-z][\w.-]*$")


def term_subject(term: str) -> tuple[str, str] | None:
    """Return what a definition-list term names and the kind of thing it is."""
    if found := _SIGNATURE.match(term):
        return found[1] + "()", "code"
    word = re.split("[= ]", term, maxsplit=1)[0].rstrip(":,")
    if len(word) > 2 and _TERM.match(word) and len(term) < 60:
        return word, "option" if word.startswith("-") else "code"
    return None


_NUMBERING = re.compile(r"^(?:Chapter\s+)?[\dA-Z]{0,3}(?:\.\d+)*\.?\s+(?=[A-Z])")


def read_html(path: Path) -> Document:
    """Read an HTML page: prose blocks, and seeds from headings and terms."""
    parser = _BlockParser()
    parser.feed(_read_text(path))
    parser.close()
    document = Document(str(path))
    pending: tuple[str, str] | None = None
    for kind, text in parser.blocks:
        if kind.startswith("h"):
            pending = (_NUMBERING.sub("", text).strip(), "topic")
        elif kind == "dt":
            pending = term_subject(text)
        else:
            document.paragraphs.append(text)
            if pending:
                document.seeds.append(Seed(pending[0], pending[1], text))
            pending = None
    return document


_ROFF_ESCAPES = (
    (re.compile(r"\\f(?:\[\w*\]|\(..|.)"), ""),
    (re.compile(r"\\s[+-]?\d+"), ""),
    (re.compile(r"\\m\[\w*\]"), ""),
    (re.compile(r"\\\*?\((?:lq|rq|dq|\\*Lq|\\*Rq)|\\\*\(?C?[\"^+-]?[\"']?"), '"'),
    (re.compile(r"\\\((?:aq|cq|oq)"), "'"),
    (re.compile(r"\\\(em"), " - "),
    (re.compile(r"\\\((?:hy|mi|en)|\\-"), "-"),
    (re.compile(r"\\\(.."), ""),
    (re.compile(r"\\[&:|^/,%c)!{}]"), ""),
    (re.compile(r"\\[ ~0]"), " "),
    (re.compile(r"\\e"), r"\\"),
)
_ROFF_BREAKS = frozenset(
    {"PP", "P", "LP", "TP", "IP", "SS", "SH", "HP", "sp", "Sp", "RS", "RE", "Pp", "It", "Sh", "br", "TQ"}
)
_ROFF_ALTERNATING = frozenset({"BR", "BI", "IR", "IB", "RB", "RI"})
_ROFF_FONTS = _ROFF_ALTERNATING | {"B", "I", "SM", "SB"}


def _roff_inline(text: str) -> str:
    for pattern, plain in _ROFF_ESCAPES:
        text = pattern.sub(plain, text)
    return text


def _roff_arguments(text: str, *, joined: bool) -> str:
    parts = re.findall(r'"((?:[^"]|"")*)"|(\S+)', text)
    words = [quoted or bare for quoted, bare in parts]
    return ("" if joined else " ").join(words)


def _roff_paragraphs(source: str) -> list[tuple[str, str]]:
    """Split manual page source into ``(section heading, paragraph)`` pairs."""
    out: list[tuple[str, str]] = []
    heading, lines, literal = "", [], False

    def flush() -> None:
        if text := squeeze(_roff_inline(" ".join(lines))):
            out.append((heading, text))
        lines.clear()

    for line in source.splitlines():
        if not line.startswith((".", "'")):
            if not literal and line[:1] not in {" ", "\t"}:
                lines.append(line)
            continue
        name, _, rest = line[1:].strip().partition(" ")
        literal = name in {"nf", "EX", "Vb", "TS", "Bd"} or (literal and name not in {"fi", "EE", "Ve", "TE", "Ed"})
        if name in _ROFF_FONTS and not literal:
            lines.append(_roff_arguments(rest, joined=name in _ROFF_ALTERNATING))
        elif name in _ROFF_BREAKS:
            flush()
            if name in {"SH", "Sh"}:
                heading = rest.strip('" ').upper()
    flush()
    return out


def read_man(path: Path) -> Document:
    """Read a manual page; pages that only redirect to another come back empty."""
    document = Document(str(path))
    source = _read_text(path)
    if source.startswith(".so ") or path.name.startswith("gcloud"):
        return document
    name = path.name.split(".")[0]
    section = path.name.removesuffix(".gz").rpartition(".")[2][:1]
    kind = "command" if section in {"1", "8"} else "topic" if section in {"5", "7"} else "function"
    for heading, text in _roff_paragraphs(source):
        if heading == "NAME":
            summary = re.split(r"\s-+\s", text, maxsplit=1)[-1].rstrip(".")
            document.seeds.append(Seed(name, kind + "-summary", summary))
        elif heading not in {
            "SYNOPSIS",
            "SEE ALSO",
            "AUTHOR",
            "AUTHORS",
            "COPYRIGHT",
            "COLOPHON",
            "REPORTING BUGS",
            "ATTRIBUTES",
            "CONFORMING TO",
            "STANDARDS",
        }:
            document.paragraphs.append(text)
            if heading == "DESCRIPTION" and not any(s.kind == kind for s in document.seeds):
                document.seeds.append(Seed(name, kind, text))
    return document


def _pod_inline(text: str) -> str:
    for _ in range(4):
        text = re.sub(r"[BCFISL]<<+\s(.*?)\s>>+", r"\1", text)
        text = re.sub(r"L<([^<>|]*)\|[^<>]*>", r"\1", text)
        text = re.sub(r"[ZX]<[^<>]*>", "", text)
        text = re.sub(r"E<lt>", "\u2039", re.sub(r"E<gt>", "\u203a", text))
        text = re.sub(r"[BCFISLE]<([^<>]*)>", r"\1", text)
    return text.replace("\u2039", "<").replace("\u203a", ">")


def read_pod(path: Path) -> Document:
    """Read a Perl POD file: ordinary paragraphs, seeds from items and headings."""
    document = Document(str(path))
    pending: tuple[str, str] | None = None
    for block in re.split(r"\n\s*\n", _read_text(path)):
        if block.startswith("="):
            command, _, rest = block.partition(" ")
            title = squeeze(_pod_inline(rest))
            if command == "=item":
                pending = term_subject(title) or pending
            else:
                pending = (title, "topic") if command.startswith("=head") else None
        elif block[:1] not in {" ", "\t", ""}:
            text = squeeze(_pod_inline(block))
            document.paragraphs.append(text)
            if pending:
                document.seeds.append(Seed(pending[0], pending[1], text))
            pending = None
    return document


_MARKUP = (
    (re.compile(r"!?\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r":[\w:-]+:`([^`<]*?)(?:\s*<[^`>]*>)?`"), r"\1"),
    (re.compile(r"`+([^`]*?)(?:\s*<[^`>]*>)?`+_{0,2}"), r"\1"),
    (re.compile(r"\*\*?([^*]+)\*\*?"), r"\1"),
)


def _markup_inline(text: str) -> str:
    for pattern, plain in _MARKUP:
        text = pattern.sub(plain, text)
    return squeeze(text)


def read_markup(path: Path) -> Document:
    """Read reStructuredText or Markdown, keeping only its plain paragraphs."""
    document = Document(str(path))
    text = re.sub(r"```.*?```", "", _read_text(path), flags=re.DOTALL)
    pending: tuple[str, str] | None = None
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip("\n").split("\n")
        underlined = len(lines) == 2 and re.fullmatch(r"([=\-^~*#.])\1{2,}", lines[1])
        if underlined or lines[0].startswith("#"):
            pending = (lines[0].strip("# "), "topic")
            continue
        if not lines[0][:1].isalnum() and lines[0][:1] not in {"`", "*", ":"}:
            continue
        prose = _markup_inline(block)
        document.paragraphs.append(prose)
        if pending:
            document.seeds.append(Seed(pending[0], pending[1], prose))
        pending = None
    return document


def read_docstrings(path: Path) -> Document:
    """Read the docstrings of a Python module, without running it."""
    document = Document(str(path))
    if re.search(r"/(test|tests|idlelib|lib2to3|turtledemo|site-packages|dist-packages)/", str(path)):
        return document
    tree = ast.parse(_read_text(path))
    module = path.stem
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not (text := ast.get_docstring(node)):
            continue
        paragraphs = [squeeze(part) for part in re.split(r"\n\s*\n", text) if not part.startswith((" ", ">>>"))]
        document.paragraphs.extend(paragraphs)
        name = getattr(node, "name", "")
        if paragraphs and not name.startswith("_"):
            subject = f"{module}.{name}" if name else module
            kind = "module" if not name else "class" if isinstance(node, ast.ClassDef) else "code"
            document.seeds.append(Seed(subject, kind, paragraphs[0]))
    return document


READERS: dict[str, Callable[[Path], Document]] = {
    "html": read_html,
    "man": read_man,
    "pod": read_pod,
    "markup": read_markup,
    "docstrings": read_docstrings,
}
