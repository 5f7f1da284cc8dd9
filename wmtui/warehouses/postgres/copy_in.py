"""Record batches as the CSV that PostgreSQL's COPY reads: NULL is an empty cell, empty text a quoted one."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from wmtui.errors import UnsupportedValue

_OPTIONS = pyarrow.csv.WriteOptions(include_header=False, batch_size=16_384)


def to_csv(batch: pa.RecordBatch) -> bytes:
    """One batch, every value exact: shortest round-trip floats, all decimal digits, binary in hexadecimal.

    Raises UnsupportedValue, naming the column, for text with a NUL character, which PostgreSQL cannot hold.
    """
    printable = pa.record_batch([_printable(array) for array in batch.columns], names=batch.schema.names)
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(printable, sink, _OPTIONS)
    data: bytes = sink.getvalue().to_pybytes()
    if b"\0" in data:
        raise UnsupportedValue(
            f"column {_column_with_nul(printable)} has text with a NUL character",
            "PostgreSQL cannot hold it",
            "remove the character in the source, or carry the column as binary",
        )
    return data


def _printable(array: pa.Array) -> pa.Array:
    if not pa.types.is_binary(array.type):
        return array
    return pa.array([None if value is None else "\\x" + value.hex() for value in array.to_pylist()], pa.string())


def _column_with_nul(batch: pa.RecordBatch) -> str:
    names: list[str] = [
        field.name
        for field, array in zip(batch.schema, batch.columns, strict=True)
        if pa.types.is_string(field.type) and pc.any(pc.match_substring(array, "\0")).as_py()
    ]
    return names[0]
