"""What is read of a target: the requested columns, by the names and types it has."""

from collections.abc import Mapping

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import TargetUnreadable
from wmtui.warehouses.load.columns import match
from wmtui.warehouses.load.types import JSON_TYPES, arrow_type
from wmtui.warehouses.target import Columns


class ReadColumn(Struct, frozen=True):
    """A requested column: its name in the result, its name in the target, and the Arrow type of its declared type.

    type: None: there is no such type. json: its values are JSON.
    """

    name: str
    column: str
    type: pa.DataType | None
    json: bool = False


def columns_to_read(target: str, known: Columns, names: Mapping[str, str]) -> list[ReadColumn]:
    """The target's column for every requested name. names: by the requested name, the name that it should have there.

    Raises TableError when the target lacks one.
    """
    matches = {name: match(column, known) for name, column in names.items()}
    missing = [names[name] for name, column in matches.items() if column is None]
    if missing:
        raise TargetUnreadable(
            f"target {target} has no column {', '.join(missing)}",
            "the source has it",
            "the next sync that loads a row adds it",
        )
    return [
        ReadColumn(name, column, arrow_type(known[column]), known[column].lower() in JSON_TYPES)
        for name, column in matches.items()
        if column
    ]
