"""Values that a server sends as text, in the Arrow type of their column."""

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.warehouses.quoting import quote
from wmtui.warehouses.read_columns import ReadColumn

_HEX_PREFIX = len("\\x")


def expression(column: ReadColumn) -> str:
    """How a column is read: times with zone in UTC, everything as the server prints it."""
    name = quote(column.column)
    is_instant = column.type is not None and pa.types.is_timestamp(column.type) and column.type.tz
    return f"{name} AT TIME ZONE 'UTC'" if is_instant else name


def typed(texts: pa.Array, kind: pa.DataType | None) -> pa.Array:
    """Texts as the server prints them, in a column's type; as they are if one does not fit it."""
    if kind is None or pa.types.is_string(kind):
        return texts
    if pa.types.is_binary(kind):
        return pa.array([t if t is None else bytes.fromhex(t[_HEX_PREFIX:]) for t in texts.to_pylist()], kind)
    if pa.types.is_boolean(kind):
        return pc.equal(texts, "t")
    try:
        return texts.cast(pa.timestamp("us")).cast(kind) if pa.types.is_timestamp(kind) else texts.cast(kind)
    except pa.ArrowInvalid:
        return texts
