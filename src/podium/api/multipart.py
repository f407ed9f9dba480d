"""A form with one file (``multipart/form-data``, RFC 7578), parsed while it arrives."""

from __future__ import annotations

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from podium.api.refusals import UnsupportedMediaType
from podium.core.errors import InvalidRequest

MOST_FIELDS = 16
MOST_FIELD_BYTES = 4096
_MALFORMED = "The body is not a valid form (multipart/form-data). Send it with a client that knows how to upload files."


def boundary_of(content_type: str) -> bytes:
    """What parts the body. Raises ``UnsupportedMediaType`` for anything but a form."""
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not 0 < len(boundary) <= 70:
        raise UnsupportedMediaType("Upload a file as `content-type: multipart/form-data` with a boundary.")
    return boundary


class FormReader:
    """Tells the bytes of the part ``file`` from the other fields, which are short, and which it keeps.

    ``filename`` is what the client calls the file, None until it comes. A second file, a field that comes twice, and
    what is too much or no form raise ``InvalidRequest``; so does ``finish`` when the end is missing.
    """

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._content = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._field: str | None = None
        self._text = bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the body; what of them belongs to the file."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequest(_MALFORMED) from error
        content = bytes(self._content)
        self._content.clear()
        return content

    def finish(self) -> None:
        """The body is over."""
        if not self._ended:
            raise InvalidRequest(_MALFORMED)
        if self.filename is None:
            raise InvalidRequest("`file` is required: a part of the form with a filename.", param="file")

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _on_headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b"").decode("latin-1"))
        name = _text(options.get(b"name", b""))
        if kind != b"form-data" or not name:
            raise InvalidRequest(_MALFORMED)
        if name == "file":
            if self.filename is not None or b"filename" not in options:
                raise InvalidRequest("`file` must be one part of the form, with a filename.", param="file")
            self.filename = _text(options[b"filename"])
            self._field = None
            return
        if name in self.fields or len(self.fields) >= MOST_FIELDS:
            raise InvalidRequest(f"A form has each field once, and at most {MOST_FIELDS} of them.")
        self._field = name
        self._text.clear()

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._content += data[start:end]
            return
        self._text += data[start:end]
        if len(self._text) > MOST_FIELD_BYTES:
            raise InvalidRequest(f"A field of the form is longer than {MOST_FIELD_BYTES} bytes.")

    def _on_part_end(self) -> None:
        if self._field is not None:
            self.fields[self._field] = _text(bytes(self._text))

    def _on_end(self) -> None:
        self._ended = True


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("Names and fields of a form must be UTF-8.") from None
