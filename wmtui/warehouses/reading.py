"""What is read of a target: the columns asked for, by the names and types it has."""

from collections.abc import Sequence

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import TableError
from wmtui.warehouses.landing import Columns, match
from wmtui.warehouses.types import arrow_type


class ReadColumn(Struct, frozen=True):
    """A column asked for: its name there, its name in the target, and the Arrow type of what it declares, if any."""

    name: str
    column: str
    type: pa.DataType | None


def columns_to_read(target: str, known: Columns, names: Sequence[str]) -> list[ReadColumn]:
    """Where every name is found in the target. Raises TableError when it lacks one."""
    found = {name: match(name, known) for name in names}
    missing = [name for name, column in found.items() if column is None]
    if missing:
        raise TableError(
            f"target {target} has no column {', '.join(missing)}",
            "the source has it",
            "add it to the target; a sync that brings it says with which statement",
        )
    return [ReadColumn(name, column, arrow_type(known[column])) for name, column in found.items() if column]
