"""Forms, good and bad."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.api.multipart import FormReader, boundary_of
from podium.api.refusals import UnsupportedMediaType
from podium.core.errors import InvalidRequest

FILE = b'content-disposition: form-data; name="file"; filename="a.jsonl"'
PURPOSE = b'content-disposition: form-data; name="purpose"'


def form(*parts: tuple[bytes, bytes], end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + headers + b"\r\n\r\n" + body + b"\r\n" for headers, body in parts) + end


def read(text: bytes, piece_bytes: int = 65_536) -> tuple[FormReader, bytes]:
    reader = FormReader(b"b")
    content = b"".join(reader.feed(text[start : start + piece_bytes]) for start in range(0, len(text), piece_bytes))
    reader.finish()
    return reader, content


@given(st.binary(max_size=200), st.integers(min_value=1, max_value=50))
def test_a_file_is_read_byte_for_byte_however_it_is_cut(content: bytes, piece_bytes: int) -> None:
    reader, found = read(form((PURPOSE, b"batch"), (FILE, content)), piece_bytes)
    assert (found, reader.filename, reader.fields) == (content, "a.jsonl", {"purpose": "batch"})


def test_a_name_in_utf_8_is_taken() -> None:
    header = 'content-disposition: form-data; name="file"; filename="übung.jsonl"'.encode()
    assert read(form((header, b"x")))[0].filename == "übung.jsonl"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no form",
        form((PURPOSE, b"batch")),
        form((FILE, b"x"), end=b""),
        form((FILE, b"x"), (FILE, b"y")),
        form((FILE, b"x"), (PURPOSE, b"a"), (PURPOSE, b"b")),
        form((b'content-disposition: form-data; name="file"', b"x")),
        form((b'content-disposition: attachment; name="file"; filename="a"', b"x")),
        form((b'content-disposition: form-data; filename="a"', b"x")),
        form((b"x: y", b"x")),
        form((FILE, b"x"), (b'content-disposition: form-data; name="\xff"', b"x")),
        form((FILE, b"x"), (PURPOSE, b"\xff")),
        form((FILE, b"x"), (PURPOSE, b"x" * 5000)),
        form((FILE + b"\r\nx: " + b"y" * 10_000, b"x")),
        form((FILE + b"\r\nx: y" * 50, b"x")),
        form((FILE, b"x"), *((b'content-disposition: form-data; name="f%d"' % n, b"") for n in range(20))),
    ],
)
def test_what_is_no_form_with_one_file_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(text)


@pytest.mark.parametrize(
    "declared",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/mixed; boundary=b",
        f"multipart/form-data; boundary={'b' * 71}",
    ],
)
def test_another_type_is_refused(declared: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        boundary_of(declared)


def test_the_boundary_is_taken_with_and_without_quotes() -> None:
    assert boundary_of("multipart/form-data; boundary=b") == boundary_of('Multipart/Form-Data; boundary="b"') == b"b"
