"""Where a file's columns land: matched to the target by name, refused where the target would change a value."""

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import TableError
from wmtui.warehouses.types import landing_type, sql_type

Columns = Mapping[str, str]
"""A table's columns in order: name to declared type."""


class Landing(Struct, frozen=True):
    """One column of a file on its way: its name there, its name in the target, and the Arrow type it travels in."""

    source: str
    column: str
    type: pa.DataType


def match(name: str, known: Iterable[str]) -> str | None:
    """The known column of this name: the exact one, else the only one that differs in case alone."""
    names = list(known)
    if name in names:
        return name
    folded = [other for other in names if other.casefold() == name.casefold()]
    return folded[0] if len(folded) == 1 else None


def new_columns(schema: pa.Schema) -> dict[str, str]:
    """The columns of a target made for files of this carried schema."""
    return {field.name: sql_type(field.type) for field in schema}


def unknown_columns(schema: pa.Schema, known: Columns) -> dict[str, str]:
    """What the target lacks, as the columns it would need."""
    return {name: kind for name, kind in new_columns(schema).items() if match(name, known) is None}


def land(schema: pa.Schema, known: Columns) -> list[Landing]:
    """Where every column of a carried schema lands; each must be known.

    Raises TableError when two of them land in one column, or when a column cannot hold their values exactly.
    """
    landings: dict[str, Landing] = {}
    for field in schema:
        column = match(field.name, known) or field.name
        kind = landing_type(field.type, known[column])
        if kind is None:
            raise TableError(
                f"column {field.name} does not fit: {field.type} in the file, {known[column]} in the target",
                "the warehouse would round, cut or convert its values",
                f"change the target's column to {sql_type(field.type)}",
            )
        if column in landings:
            raise TableError(
                f"columns {landings[column].source} and {field.name} of the file are both the target's {column}",
                "their names differ in case alone, or not at all",
                "leave one of them out of the table",
            )
        landings[column] = Landing(field.name, column, kind)
    return list(landings.values())


def named_columns(names: Sequence[str], known: Columns, landings: Sequence[Landing]) -> tuple[str, ...]:
    """The target's names of key and cursor columns. Raises TableError when the file lacks one."""
    landed = {landing.column for landing in landings}
    columns = tuple(match(name, known) or name for name in names)
    missing = [column for column in columns if column not in landed]
    if missing:
        raise TableError(
            f"the file has no column {', '.join(missing)}",
            "primary key and cursor decide which row is the newest",
            "remove a file that is not this table's, or check cursor and primary_key in tables.yaml",
        )
    return columns
