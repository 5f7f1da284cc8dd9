"""What of a table does not fit its target, found before a row is read. Pure rules, the same as those of a load."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import TargetMisfit
from wmtui.model import As
from wmtui.warehouses.load.columns import Misfit, Target, column_misfit, match
from wmtui.warehouses.load.conversions import converted
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import Naming, TargetLayout
from wmtui.warehouses.target import TargetLimits, TargetTable

_NO_KEY_TYPES = ("varbyte", "super")
"""Types that Redshift neither distributes nor sorts by. Source: "VARBYTE type" and "Limitations" of SUPER."""


class PlannedLoad(Struct, frozen=True):
    """What loads of a table will bring, and where to.

    schema: carried, each field with the source's own type in its metadata. target: written as a TargetName.
    cursor, primary_key, and the columns of `layout`: by their names in the source.
    """

    table: str
    schema: pa.Schema
    target: str
    cursor: str
    primary_key: tuple[str, ...]
    naming: Naming
    layout: TargetLayout
    limits: TargetLimits
    statements: Statements


def raise_misfits(planned: PlannedLoad, misfits: Sequence[Misfit]) -> None:
    """Raises TargetMisfit, naming all of them, when there are any."""
    if misfits:
        raise TargetMisfit(
            f"{planned.table} does not fit its target {planned.target}",
            "; and ".join(map(str, misfits)),
            "do what is said of each; nothing was read, and what was read before can still be loaded",
        )


def find_misfits(planned: PlannedLoad, existing: TargetTable | None) -> tuple[Misfit, ...]:
    """Everything that does not fit. existing: what stands under the target's name, None where nothing does."""
    if existing is not None and not existing.loadable:
        return (*_long_names(planned), _not_a_table(planned, existing))
    fields = [field for field in planned.schema if planned.naming.of(field.name) is not None]
    target = Target(planned.target, existing.types if existing else {}, planned.statements)
    columns = {field.name: _column(field.name, planned, target) for field in fields}
    misfits = [*_long_names(planned), *_hidden(planned, existing), *_same_column(fields, columns, planned)]
    for field in fields:
        misfits += _of_column(field, columns[field.name], planned, target, existing)
    if existing is None:
        return (*misfits, *_bad_layout(fields, planned))
    return (
        *misfits,
        *_missing_columns(fields, columns, planned, target, existing),
        *_required_columns(columns, planned, existing),
    )


def _column(name: str, planned: PlannedLoad, target: Target) -> str:
    """The target's column for one of the source: its own, or the one that it would get."""
    renamed = planned.naming.of(name) or name
    return match(renamed, target.columns) or renamed


def _long_names(planned: PlannedLoad) -> Iterator[Misfit]:
    for what, name, setting in zip(
        ("schema", "target"), planned.statements.schema_and_name(planned.target), ("schema", "target"), strict=True
    ):
        if reason := _too_long(name, planned.limits):
            yield Misfit("", f"{what} {name} has a name that is too long", reason, f"choose another by `{setting}`")


def _too_long(name: str, limits: TargetLimits) -> str | None:
    size = len(name.encode())
    if limits.name_bytes is None or size <= limits.name_bytes:
        return None
    return f"it has {size} bytes, and the warehouse cuts names to {limits.name_bytes}"


def _not_a_table(planned: PlannedLoad, existing: TargetTable) -> Misfit:
    return Misfit(
        "",
        f"{planned.target} is no table but a {existing.kind}",
        "rows are inserted into a table, and replaced there",
        "name a table by `target` in tables.yaml, or drop it and let the first load make one",
    )


def _hidden(planned: PlannedLoad, existing: TargetTable | None) -> Iterator[Misfit]:
    if existing is not None and existing.row_security:
        yield Misfit(
            "",
            f"row-level security of {planned.target} holds for this user",
            "rows that it hides would be loaded beside, not replaced",
            f"load as the owner, {existing.owner}, or as a user whom no policy concerns",
        )


def _same_column(fields: Sequence[pa.Field], columns: dict[str, str], planned: PlannedLoad) -> Iterator[Misfit]:
    first: dict[str, str] = {}
    for field in fields:
        column = columns[field.name]
        name = column.lower() if planned.limits.ignores_case else column
        other = first.setdefault(name, field.name)
        if other != field.name:
            yield Misfit(
                field.name,
                f"and column {other} are both the target's {column}",
                "two columns of the source would be one",
                _apart([name for name in (field.name, other) if name not in (*planned.primary_key, planned.cursor)]),
            )


def _apart(free: Sequence[str]) -> str:
    """How to keep two columns of one name apart. free: those that may be left out, neither cursor nor key."""
    rename = "give one of them another name by `rename`"
    return f"exclude {' or '.join(free)}, or {rename}" if free else rename


def _of_column(
    field: pa.Field, column: str, planned: PlannedLoad, target: Target, existing: TargetTable | None
) -> Iterator[Misfit]:
    """What is wrong with one column of the source and the target's column for it."""
    if column in target.columns:
        ordering = field.name in (*planned.primary_key, planned.cursor)
        forms = (As.UTC_TIMESTAMP,) if ordering else tuple(As)
        declared = target.columns[column]
        if misfit := column_misfit(field, declared, target, planned.naming, source=_source_type(field), forms=forms):
            yield misfit
        if existing is not None and existing.column(column).generated:
            yield Misfit(
                field.name,
                f"is the target's {column}, which the warehouse makes by itself",
                "no load may write it",
                _another_name(field.name) if ordering else f"exclude it, or {_another_name(field.name)}",
            )
        return
    if converted(field, planned.naming.as_types.get(field.name)) is None:
        yield Misfit(
            field.name,
            f"is {_source_type(field)}, and `as` says {planned.naming.as_types[field.name]}",
            "such values have no form like that",
            "correct `as` in tables.yaml",
        )
    if reason := _too_long(column, planned.limits) or _reserved(column, planned.limits):
        yield Misfit(field.name, f"cannot be called {column} in the target", reason, _another_name(field.name))


def _reserved(column: str, limits: TargetLimits) -> str | None:
    name = column.lower() if limits.ignores_case else column
    return "every table of the warehouse has a system column of that name" if name in limits.system_names else None


def _another_name(column: str) -> str:
    return f"give it another name: `rename: {{{column}: …}}`"


def _source_type(field: pa.Field) -> str:
    declared = (field.metadata or {}).get(b"source_type", b"").decode() or str(field.type)
    return f"{declared} in the source"


def _bad_layout(fields: Sequence[pa.Field], planned: PlannedLoad) -> Iterator[Misfit]:
    """Columns by which a new target is to be stored, and cannot be."""
    fields_by_name = {field.name: field for field in fields}
    layout = planned.layout
    settings = [(layout.distkey, "distkey")] if layout.distkey else []
    for name, setting in [*settings, *((sortkey, "sortkey") for sortkey in layout.sortkey)]:
        column = match(name, fields_by_name)
        if column is None:
            there = ", ".join(fields_by_name)
            yield Misfit(name, f"is the {setting} and does not exist", f"there are {there}", f"correct {setting}")
            continue
        form = converted(fields_by_name[column], planned.naming.as_types.get(column))
        kind = planned.statements.column_type(form) if form is not None else ""
        if kind.startswith(_NO_KEY_TYPES):
            yield Misfit(
                name, f"is the {setting} and would be {kind}", "Redshift has no such key", f"take it off {setting}"
            )


def _missing_columns(
    fields: Sequence[pa.Field], columns: dict[str, str], planned: PlannedLoad, target: Target, existing: TargetTable
) -> Iterator[Misfit]:
    """Columns that the target does not have, and cannot be given."""
    lacking = [field for field in fields if columns[field.name] not in target.columns]
    order = (*planned.primary_key, planned.cursor) if planned.primary_key else ()
    adds = []
    for field in lacking:
        column, renamed_from = columns[field.name], match(field.name, target.columns)
        if field.name in planned.naming.rename and renamed_from is not None:
            yield Misfit(
                field.name,
                f"is {renamed_from} in the target, and tables.yaml calls it {column}",
                "its rows would have one value under the old name, and new rows theirs under the new one",
                f"run {planned.statements.rename_column(planned.target, renamed_from, column)}",
            )
        elif field.name in order:
            yield Misfit(
                field.name,
                f"is in the primary key or the cursor, and the target has no column {column}",
                "its primary key or cursor was renamed since it was made, and its rows could not be told apart",
                "rename the target's column too, or keep its name with `rename` in tables.yaml",
            )
        elif (form := converted(field, planned.naming.as_types.get(field.name))) is not None:
            kind = planned.statements.column_type(form)
            adds.append(planned.statements.add_column(planned.target, column, kind))
    if adds and not existing.owned:
        yield Misfit(
            "",
            f"{planned.target} lacks columns of the source, and this user may not add them",
            f"it belongs to {existing.owner}",
            f"let {existing.owner} run {'; '.join(adds)}, or `exclude` them",
        )


def _required_columns(columns: dict[str, str], planned: PlannedLoad, existing: TargetTable) -> Iterator[Misfit]:
    """Columns of the target that every row must fill, and none will."""
    filled = set(columns.values())
    for column in existing.columns:
        if column.name not in filled and not (column.nullable or column.has_default or column.generated):
            statement = planned.statements.allow_null(planned.target, column.name)
            yield Misfit(
                column.name,
                "of the target must not be NULL, and the source has no such column",
                "it has no default either",
                f"run {statement}, or give it a default"
                if statement
                else "make the target again with a default for it",
            )
