"""A part is read piece by piece, however wide its rows are."""

import io

import pyarrow as pa
import pyarrow.parquet as pq

from wmtui.warehouses import LoadFile, Naming
from wmtui.warehouses.landing import Target, land
from wmtui.warehouses.parts import staging_batches
from wmtui.warehouses.sql import FILE, ROW, Statements

MIB = 2**20


def test_wide_rows_come_in_small_batches_numbered_through() -> None:
    table = pa.table({"id": list(range(24)), "text": [f"{number:08}" * (MIB // 8) for number in range(24)]})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    target = Target("t", {}, Statements("main")).with_columns(table.schema)
    landings = land(table.schema, target, Naming())
    file = LoadFile("part", "s3://lake/part", "etag", 1, None)
    batches = list(staging_batches(file, 3, pq.ParquetFile(sink), landings, ["id"]))
    assert max(batch.nbytes for batch in batches) <= 17 * MIB
    staged = pa.Table.from_batches(batches)
    assert staged.column(ROW).to_pylist() == list(range(24))
    assert set(staged.column(FILE).to_pylist()) == {3}
    assert staged.select(["id", "text"]) == table
