"""What became of a table's columns since its last run, in words."""

from collections.abc import Iterator, Sequence

from wmtui.config import TableConfig
from wmtui.events import Severity
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract.continuity import exchanged
from wmtui.pipeline.extract.pending_run import columns_of
from wmtui.runs.run_document import Column, Run
from wmtui.sources import SourceTable


def tell_renames(scope: Scope, table: SourceTable) -> None:
    """Report settings that rename a column, or keep one in another form, which the source does not have."""
    for setting, names in (("rename", scope.config.rename), ("keep `as` something", scope.config.as_types)):
        for name in names:
            if name not in table.schema.names:
                scope.tell(f"there is no column {name} to {setting}", Severity.WARNING)


def tell_changes(scope: Scope, table: SourceTable, last: Run | None, server: str | None) -> None:
    """Report columns that are new, gone or of another type since the last run, numbers that became text, and partitions
    with other rows. server: that is read.
    """
    known = {} if last is None else {column.name: column.source_type for column in last.schema}
    for column in columns_of(table):
        if column.arrow_type == "string" and _is_number(column) and known.get(column.name) != column.source_type:
            scope.tell(
                f"column {column.name} ({column.source_type}) is carried as text: no warehouse has so many digits"
            )
    if last is not None:
        for line in changes(last.schema, columns_of(table), scope.config):
            scope.tell(line, Severity.WARNING)
        if others := exchanged(last, table, server):
            what = f"other rows stand in partition {', '.join(others)} than at the last run (exchanged or emptied)"
            cure = f"`wmtui watermark set -t {table.table}` to a point before them does"
            scope.tell(f"{what}: no run reads those below the watermark, {cure}", Severity.WARNING)


def _is_number(column: Column) -> bool:
    return column.source_type.lower().startswith("decimal")


def changes(before: Sequence[Column], now: Sequence[Column], config: TableConfig) -> Iterator[str]:
    """A line for each column that is new, gone, of another type or definition, and one for those in another order."""
    old, new = ({column.name: column for column in columns} for columns in (before, now))
    for name, column in new.items():
        if name not in old:
            yield f"column {name} is new ({column.source_type}): a load adds it to the target, NULL in older rows"
        elif column.source_type != old[name].source_type:
            yield f"column {name} is {column.source_type} now, it was {old[name].source_type}"
        elif old[name].extra is not None and column.extra != old[name].extra:
            was, is_now = old[name].extra or "plain", column.extra or "plain"
            yield f"column {name} is {is_now} now, it was {was}: rows that no update touches stay as they were loaded"
    yield from _exchanged([old[name] for name in old if name in new], [new[name] for name in new if name in old])
    for name in old:
        if name not in new:
            why = "is excluded now" if name in config.exclude else "is gone from the source"
            alike = [other for other, c in new.items() if other not in old and c.source_type == old[name].source_type]
            hint = f"; if {alike[0]} is its new name, `rename: {{{alike[0]}: {name}}}` goes on with it" if alike else ""
            yield f"column {name} {why}: the target keeps it, NULL in rows loaded from now on{hint}"


def _exchanged(before: Sequence[Column], now: Sequence[Column]) -> Iterator[str]:
    """A line for columns that stand where others of their type stood: renamed to each other's names they look so."""
    names = [
        column.name
        for column, then in zip(now, before, strict=True)
        if column.name != then.name and column.source_type == then.source_type
    ]
    if names:
        yield (
            f"columns {', '.join(names)} stand in each other's places: if they were renamed crosswise, rows loaded "
            "before have their values exchanged; `wmtui watermark reset` reads them again"
        )
