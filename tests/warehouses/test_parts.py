"""A part is read piece by piece, however wide its rows are."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wmtui.warehouses import LoadFile, Naming
from wmtui.warehouses.load.columns import Target, map_columns
from wmtui.warehouses.load.part_reader import expanding_columns, staging_batches
from wmtui.warehouses.load.statements import FILE, ROW, Statements
from wmtui.warehouses.load.types import carried_schema

MIB = 2**20


def test_wide_rows_come_in_small_batches_numbered_through() -> None:
    table = pa.table({"id": list(range(24)), "text": [f"{number:08}" * (MIB // 8) for number in range(24)]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    target = Target("t", {}, Statements("main")).with_columns(table.schema)
    mappings = map_columns(table.schema, target, Naming())
    file = LoadFile("part", "s3://lake/part", "etag", 1, None)
    batches = list(staging_batches(file, 3, pq.ParquetFile(sink), mappings, ["id"]))
    assert max(batch.nbytes for batch in batches) <= 17 * MIB
    staged = pa.Table.from_batches(batches)
    assert staged.column(ROW).to_pylist() == list(range(24))
    assert set(staged.column(FILE).to_pylist()) == {3}
    assert staged.select(["id", "text"]) == table


@pytest.mark.parametrize("encoding", ["PLAIN", "DELTA_BYTE_ARRAY"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary()], ids=str)
def test_one_long_value_that_comes_again_and_again_comes_in_small_batches(encoding: str, kind: pa.DataType) -> None:
    count = 100
    values = pa.DictionaryArray.from_arrays(pa.array([*[0] * (count - 1), None], pa.int32()), ["y" * MIB])
    table = pa.table({"id": list(range(count)), "text": values.cast(pa.string()).cast(kind)})
    sink = io.BytesIO()
    encodings = None if encoding == "PLAIN" else {"text": encoding}
    pq.write_table(table, sink, use_dictionary=["text"] if encodings is None else False, column_encoding=encodings)
    assert len(sink.getvalue()) < MIB
    part = pq.ParquetFile(sink, read_dictionary=expanding_columns(pq.ParquetFile(sink)))
    schema = carried_schema(part.schema_arrow)
    target = Target("t", {}, Statements("main")).with_columns(schema)
    file = LoadFile("part", "s3://lake/part", "etag", 1, None)

    rows = 0
    for batch in staging_batches(file, 0, part, map_columns(schema, target, Naming()), ["id"]):
        assert batch.nbytes <= 17 * MIB
        assert batch.column("text").type in (pa.string(), pa.binary())
        rows += batch.num_rows

    assert rows == count
