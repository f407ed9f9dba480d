"""The requests of a run as Parquet, with the stamps of their tokens: what a table in text cannot hold."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from podium.bench.record import RequestRecord
from podium.core.errors import Conflict, MissingExtra


def requests_parquet(records: Sequence[RequestRecord], path: Path) -> None:
    """One row a request, every member a column; lists are lists, and ``server_seconds`` is a map.

    Raises:
        Conflict: the file exists.
        MissingExtra: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415 - same
    except ImportError as error:
        raise MissingExtra("Parquet needs pyarrow; install it with: pip install 'podium[parquet]'") from error
    hints = typing.get_type_hints(RequestRecord)
    schema = pa.schema([(field.name, _kind(hints[field.name], pa)) for field in msgspec.structs.fields(RequestRecord)])
    table = pa.Table.from_pylist([_row(record) for record in records], schema=schema)
    try:
        with path.open("xb") as file:
            pq.write_table(table, file, compression="zstd")
    except FileExistsError as error:
        raise Conflict("a file of that name is there; results are never replaced") from error


def _row(record: RequestRecord) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in record.__struct_fields__}
    plain = {name: value.value if isinstance(value, Enum) else value for name, value in row.items()}
    return plain | {"server_seconds": list(record.server_seconds.items())}


def _kind(hint: Any, pa: Any) -> Any:
    """The column type of a member."""
    if isinstance(hint, types.UnionType):
        (hint,) = (one for one in typing.get_args(hint) if one is not types.NoneType)
    if typing.get_origin(hint) is list:
        return pa.list_(_kind(typing.get_args(hint)[0], pa))
    if typing.get_origin(hint) is dict:
        return pa.map_(*(_kind(one, pa) for one in typing.get_args(hint)))
    if issubclass(hint, str):
        return pa.string()
    return {bool: pa.bool_(), int: pa.int64(), float: pa.float64()}[hint]
