"""Which column of the target each column of a file goes into; refused where the target would change a value."""

from collections.abc import Iterable, Sequence

import pyarrow as pa
from msgspec import Struct
from msgspec.structs import replace

from wmtui.column_types import INSTANT, is_json, max_bytes
from wmtui.errors import FileMisfit, LoadRefused, TableError
from wmtui.model import As
from wmtui.warehouses.load.conversions import converted, target_field
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load.types import arrow_type, carried_field, declared_length, loadable_type, wider_field
from wmtui.warehouses.load_request import Naming
from wmtui.warehouses.target import Columns


class ColumnMapping(Struct, frozen=True):
    """One column of a file on its way: its name there, its name in the target, and the Arrow type it travels in.

    carried: the type it has before it is kept as `how`, with times of `zone`.
    """

    source: str
    column: str
    type: pa.DataType
    carried: pa.DataType
    how: As | None = None
    zone: str = "UTC"


class Misfit(Struct, frozen=True):
    """Why a column, or the table where `column` is "", cannot take what is to come; in words.

    way_out: what to do about it.
    """

    column: str
    what: str
    why: str
    way_out: str

    @property
    def finding(self) -> str:
        """What and why."""
        subject = f"column {self.column} " if self.column else ""
        return f"{subject}{self.what}: {self.why}"

    def __str__(self) -> str:
        return f"{self.finding}; {self.way_out}"


def match(name: str, known: Iterable[str]) -> str | None:
    """The known column of this name: the exact one, else the only one that differs in case alone."""
    names = list(known)
    if name in names:
        return name
    folded = [other for other in names if other.lower() == name.lower()]
    return folded[0] if len(folded) == 1 else None


def common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The union of several files' columns by name, in order of first appearance, each as wide as the widest.

    Raises TableError when no type holds what two files have in one column.
    """
    fields: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            known = fields.setdefault(field.name, field)
            both = wider_field(known, field)
            if both is None:
                raise FileMisfit(
                    f"column {field.name} has type {known.type} in one file and {field.type} in another",
                    "no type holds the values of both",
                    "load them apart with --key, or rewrite the older file",
                )
            fields[field.name] = both
    return pa.schema(list(fields.values()))


def renamed(schema: pa.Schema, naming: Naming) -> pa.Schema:
    """A file's schema as the target has it: by its names, in the forms it keeps, without excluded columns. Raises
    TableError when two of them would have one name, and UnsupportedValue for a column that has no such form.
    """
    fields: dict[str, pa.Field] = {}
    for field in schema:
        name = naming.of(field.name)
        if name in fields:
            raise _one_place(fields[name].name, field.name, name)
        if name is not None:
            fields[name] = field if pa.types.is_null(field.type) else target_field(field, naming)
    return pa.schema([field.with_name(name) for name, field in fields.items()])


def _one_place(first: str, second: str, column: str) -> TableError:
    return FileMisfit(
        f"columns {first} and {second} of the file are both the target's {column}",
        "they have one name there, or names that differ in case alone",
        "rename one of them, or exclude one that is neither cursor nor key",
    )


class Target(Struct, frozen=True):
    """The table that files land in. columns: those it has, none when it is to be created."""

    name: str
    columns: Columns
    statements: Statements

    def lacking(self, schema: pa.Schema) -> pa.Schema:
        """The columns of a renamed schema that it does not have; none for one without any value, whose type is
        unknown.
        """
        return pa.schema([f for f in schema if match(f.name, self.columns) is None and not pa.types.is_null(f.type)])

    def with_columns(self, schema: pa.Schema) -> "Target":
        """With columns added."""
        added = {field.name: self.statements.column_type(field) for field in schema}
        return replace(self, columns={**self.columns, **added})

    def widening(self, column: str, field: pa.Field) -> str | None:
        """The statement after which a column holds a field's values too; None where it does already, or none helps."""
        declared = self.columns[column]
        holds, limit = arrow_type(declared), declared_length(declared)
        if holds is None:
            return None
        needed = wider_field(carried_field(column, holds, limit), field)
        if needed is None:
            return None
        kind = self.statements.column_type(needed)
        if needed.type == holds and (
            limit is None or max_bytes(needed) in (None, limit) or limit == declared_length(kind)
        ):
            return None
        return self.statements.widen_column(self.name, column, kind)

    def as_text(self, column: str, field: pa.Field) -> str | None:
        """The statement after which a column holds text; None unless a field is text and what is there has one."""
        holds = arrow_type(self.columns[column])
        has_text = holds is None or not (pa.types.is_binary(holds) or pa.types.is_boolean(holds))
        if not pa.types.is_string(field.type) or not has_text or self.columns[column].lower() == "super":
            return None
        return self.statements.retype_column(self.name, column, self.statements.column_type(field))


def column_misfit(
    field: pa.Field, declared: str, target: Target, naming: Naming, *, source: str, forms: Sequence[As] = tuple(As)
) -> Misfit | None:
    """Why a column of the target, by its declared type, does not take a carried field's values; None where it does.

    source: the field's type as its own side calls it. forms: those that may be advised.
    """
    how = None if pa.types.is_null(field.type) else naming.as_types.get(field.name)
    form = converted(field, how)
    if form is None:
        return Misfit(
            field.name,
            f"is {source}, and `as` says {how}",
            "such values have no form like that",
            _ways_out(field, declared, target, naming, forms),
        )
    if loadable_type(form.type, declared, json=is_json(form)) is not None:
        return None
    return Misfit(
        field.name,
        f"does not fit: {source}{f' kept as {how}' if how else ''}, {declared} in the target",
        "the warehouse would round, cut or convert its values",
        _ways_out(field, declared, target, naming, forms),
    )


def _ways_out(field: pa.Field, declared: str, target: Target, naming: Naming, forms: Sequence[As]) -> str:
    """How to make a column of the target and a field fit each other, in words."""
    column = match(naming.of(field.name) or field.name, target.columns) or field.name
    ways = [f"say `as: {{{field.name}: {how}}}`" for how in forms if _would_land(field, how, declared)]
    if statement := target.widening(column, field) or target.as_text(column, field):
        ways.insert(0, f"run {statement}")
    return ", or ".join(ways) or "load into a new target, or exclude the column unless it is cursor or key"


def _would_land(field: pa.Field, how: As, declared: str) -> bool:
    form = converted(field, how)
    if form is None or (how is As.LOCAL_TIMESTAMP and field.type != INSTANT):
        return False
    return loadable_type(form.type, declared, json=is_json(form)) is not None


def map_columns(schema: pa.Schema, target: Target, naming: Naming) -> list[ColumnMapping]:
    """Where every column of a carried schema lands; the target must have each.

    Raises TableError, naming all of them, when columns cannot hold their values exactly, or when two land in one.
    """
    mappings: dict[str, ColumnMapping] = {}
    misfits: list[Misfit] = []
    for field in schema:
        name = naming.of(field.name)
        if name is None:
            continue
        column = match(name, target.columns) or name
        has_none = pa.types.is_null(field.type)
        if has_none and column not in target.columns:
            continue
        if misfit := column_misfit(field, target.columns[column], target, naming, source=f"{field.type} in the file"):
            misfits.append(misfit)
            continue
        if column in mappings:
            raise _one_place(mappings[column].source, field.name, column)
        form = field if has_none else target_field(field, naming)
        kind = loadable_type(form.type, target.columns[column], json=is_json(form))
        how = None if has_none else naming.as_types.get(field.name)
        if how is As.JSON and arrow_type(target.columns[column]) is not None:  # There it stays a text.
            how = None
        mappings[column] = ColumnMapping(
            source=field.name, column=column, type=kind, carried=field.type, how=how, zone=naming.zone
        )
    if misfits:
        first, *others = misfits
        next_step = "; ".join([first.way_out, *map(str, others)])
        raise LoadRefused(f"column {first.column} {first.what}", first.why, next_step)
    return list(mappings.values())


def key_and_cursor(names: Sequence[str], known: Columns, mappings: Sequence[ColumnMapping]) -> tuple[str, ...]:
    """The target's names of key and cursor columns. Raises TableError when the file or the target lacks one."""
    landed = {mapping.column for mapping in mappings}
    columns = tuple(match(name, known) or name for name in names)
    missing = [column for column in columns if column not in landed]
    if missing:
        raise FileMisfit(
            f"the file has no column {', '.join(missing)}",
            "primary key and cursor decide which row is the newest",
            "remove a file that is not this table's, or check cursor and primary_key in tables.yaml",
        )
    return columns
