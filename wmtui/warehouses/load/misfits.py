"""What of a table does not fit its target, found before a row is read. Pure rules, the same as those of a load."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from msgspec import Struct

from wmtui.errors import TargetMisfit
from wmtui.model import As
from wmtui.warehouses.load.columns import Misfit, Target, match, unfit
from wmtui.warehouses.load.conversions import converted
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load_request import Layout, Naming
from wmtui.warehouses.target import Limits, TargetTable

_NO_KEY_TYPES = ("varbyte", "super")
"""Types that Redshift neither distributes nor sorts by. Source: "VARBYTE type" and "Limitations" of SUPER."""


class Wanted(Struct, frozen=True):
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
    layout: Layout
    limits: Limits
    statements: Statements


def refuse_misfits(wanted: Wanted, misfits: Sequence[Misfit]) -> None:
    """Raises TargetMisfit, naming all of them, when there are any."""
    if misfits:
        raise TargetMisfit(
            f"{wanted.table} does not fit its target {wanted.target}",
            "; and ".join(map(str, misfits)),
            "do what is said of each; nothing was read, and what was read before can still be loaded",
        )


def find_misfits(wanted: Wanted, found: TargetTable | None) -> tuple[Misfit, ...]:
    """Everything that does not fit. found: what stands under the target's name, None where nothing does."""
    if found is not None and not found.loadable:
        return (*_bad_places(wanted), _no_table(wanted, found))
    fields = [field for field in wanted.schema if wanted.naming.of(field.name) is not None]
    target = Target(wanted.target, found.types if found else {}, wanted.statements)
    columns = {field.name: _column(field.name, wanted, target) for field in fields}
    misfits = [*_bad_places(wanted), *_hidden(wanted, found), *_twice(fields, columns, wanted)]
    for field in fields:
        misfits += _of_column(field, columns[field.name], wanted, target, found)
    if found is None:
        return (*misfits, *_bad_layout(fields, wanted))
    return (*misfits, *_lacking(fields, columns, wanted, target, found), *_unfilled(columns, wanted, found))


def _column(name: str, wanted: Wanted, target: Target) -> str:
    """The target's column for one of the source: its own, or the one that it would get."""
    wish = wanted.naming.of(name) or name
    return match(wish, target.columns) or wish


def _bad_places(wanted: Wanted) -> Iterator[Misfit]:
    for what, name, setting in zip(
        ("schema", "target"), wanted.statements.place(wanted.target), ("schema", "target"), strict=True
    ):
        if reason := _too_long(name, wanted.limits):
            yield Misfit("", f"{what} {name} has a name that is too long", reason, f"choose another by `{setting}`")


def _too_long(name: str, limits: Limits) -> str | None:
    size = len(name.encode())
    if limits.name_bytes is None or size <= limits.name_bytes:
        return None
    return f"it has {size} bytes, and the warehouse cuts names to {limits.name_bytes}"


def _no_table(wanted: Wanted, found: TargetTable) -> Misfit:
    return Misfit(
        "",
        f"{wanted.target} is no table but a {found.kind}",
        "rows are inserted into a table, and replaced there",
        "name a table by `target` in tables.yaml, or drop it and let the first load make one",
    )


def _hidden(wanted: Wanted, found: TargetTable | None) -> Iterator[Misfit]:
    if found is not None and found.row_security:
        yield Misfit(
            "",
            f"row-level security of {wanted.target} holds for this user",
            "rows that it hides would be loaded beside, not replaced",
            f"load as the owner, {found.owner}, or as a user whom no policy concerns",
        )


def _twice(fields: Sequence[pa.Field], columns: dict[str, str], wanted: Wanted) -> Iterator[Misfit]:
    first: dict[str, str] = {}
    for field in fields:
        column = columns[field.name]
        place = column.lower() if wanted.limits.ignores_case else column
        other = first.setdefault(place, field.name)
        if other != field.name:
            yield Misfit(
                field.name,
                f"and column {other} are both the target's {column}",
                "two columns of the source would be one",
                _apart([name for name in (field.name, other) if name not in (*wanted.primary_key, wanted.cursor)]),
            )


def _apart(free: Sequence[str]) -> str:
    """How two columns of one name are told apart. free: those that may be left out, neither cursor nor key."""
    rename = "give one of them another name by `rename`"
    return f"exclude {' or '.join(free)}, or {rename}" if free else rename


def _of_column(
    field: pa.Field, column: str, wanted: Wanted, target: Target, found: TargetTable | None
) -> Iterator[Misfit]:
    """What is wrong with one column of the source and its place in the target."""
    if column in target.columns:
        ordering = field.name in (*wanted.primary_key, wanted.cursor)
        forms = (As.UTC_TIMESTAMP,) if ordering else tuple(As)
        declared = target.columns[column]
        if misfit := unfit(field, declared, target, wanted.naming, said=_said(field), forms=forms):
            yield misfit
        if found is not None and found.column(column).generated:
            yield Misfit(
                field.name,
                f"is the target's {column}, which the warehouse makes by itself",
                "no load may write it",
                _another_name(field.name) if ordering else f"exclude it, or {_another_name(field.name)}",
            )
        return
    if converted(field, wanted.naming.as_types.get(field.name)) is None:
        yield Misfit(
            field.name,
            f"is {_said(field)}, and `as` says {wanted.naming.as_types[field.name]}",
            "such values have no form like that",
            "correct `as` in tables.yaml",
        )
    if reason := _too_long(column, wanted.limits) or _reserved(column, wanted.limits):
        yield Misfit(field.name, f"cannot be called {column} in the target", reason, _another_name(field.name))


def _reserved(column: str, limits: Limits) -> str | None:
    name = column.lower() if limits.ignores_case else column
    return "every table of the warehouse has a system column of that name" if name in limits.system_names else None


def _another_name(column: str) -> str:
    return f"give it another name: `rename: {{{column}: …}}`"


def _said(field: pa.Field) -> str:
    declared = (field.metadata or {}).get(b"source_type", b"").decode() or str(field.type)
    return f"{declared} in the source"


def _bad_layout(fields: Sequence[pa.Field], wanted: Wanted) -> Iterator[Misfit]:
    """Columns by which a new target is to be stored, and cannot be."""
    known = {field.name: field for field in fields}
    layout = wanted.layout
    settings = [(layout.distkey, "distkey")] if layout.distkey else []
    for name, setting in [*settings, *((column, "sortkey") for column in layout.sortkey)]:
        found = match(name, known)
        if found is None:
            there = ", ".join(known)
            yield Misfit(name, f"is the {setting} and does not exist", f"there are {there}", f"correct {setting}")
            continue
        form = converted(known[found], wanted.naming.as_types.get(found))
        kind = wanted.statements.column_type(form) if form is not None else ""
        if kind.startswith(_NO_KEY_TYPES):
            yield Misfit(
                name, f"is the {setting} and would be {kind}", "Redshift has no such key", f"take it off {setting}"
            )


def _lacking(
    fields: Sequence[pa.Field], columns: dict[str, str], wanted: Wanted, target: Target, found: TargetTable
) -> Iterator[Misfit]:
    """Columns that the target does not have, and cannot be given."""
    lacking = [field for field in fields if columns[field.name] not in target.columns]
    order = (*wanted.primary_key, wanted.cursor) if wanted.primary_key else ()
    adds = []
    for field in lacking:
        column, renamed_from = columns[field.name], match(field.name, target.columns)
        if field.name in wanted.naming.rename and renamed_from is not None:
            yield Misfit(
                field.name,
                f"is {renamed_from} in the target, and tables.yaml calls it {column}",
                "its rows would have one value under the old name, and new rows theirs under the new one",
                f"run {wanted.statements.rename_column(wanted.target, renamed_from, column)}",
            )
        elif field.name in order:
            yield Misfit(
                field.name,
                f"is in the primary key or the cursor, and the target has no column {column}",
                "its primary key or cursor was renamed since it was made, and its rows could not be told apart",
                "rename the target's column too, or keep its name with `rename` in tables.yaml",
            )
        elif (form := converted(field, wanted.naming.as_types.get(field.name))) is not None:
            kind = wanted.statements.column_type(form)
            adds.append(wanted.statements.add_column(wanted.target, column, kind))
    if adds and not found.owned:
        yield Misfit(
            "",
            f"{wanted.target} lacks columns of the source, and this user may not add them",
            f"it belongs to {found.owner}",
            f"let {found.owner} run {'; '.join(adds)}, or `exclude` them",
        )


def _unfilled(columns: dict[str, str], wanted: Wanted, found: TargetTable) -> Iterator[Misfit]:
    """Columns of the target that every row must fill, and none will."""
    filled = set(columns.values())
    for column in found.columns:
        if column.name not in filled and not (column.nullable or column.has_default or column.generated):
            statement = wanted.statements.allow_null(wanted.target, column.name)
            yield Misfit(
                column.name,
                "of the target must not be NULL, and the source has no such column",
                "it has no default either",
                f"run {statement}, or give it a default"
                if statement
                else "make the target again with a default for it",
            )
