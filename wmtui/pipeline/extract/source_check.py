"""Before a row is read: may this watermark be moved, is the source still what it was read from, and which rows will
never show in it.
"""

from wmtui.errors import CursorsDoubtful
from wmtui.events import Severity
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract import continuity
from wmtui.pipeline.extract.pending_run import refuse_other_order
from wmtui.pipeline.extract.plan_extraction import clock_of
from wmtui.runs.run_document import Run
from wmtui.sources import CursorCounts, SourceConnection, SourceTable
from wmtui.watermarks import pins
from wmtui.watermarks.model import Watermark


def refuse_pinned(scope: Scope, mark: Watermark) -> None:
    """Raises Pinned while an operator holds the watermark."""
    pins.refuse_pinned(mark, scope.backend.clock(), "load without extracting with --redshift-only")


def check_source(
    scope: Scope, source: SourceConnection, table: SourceTable, mark: Watermark, last: Run | None
) -> int | None:
    """Check that the source still is what the watermark was read from, and say which rows it will never show.

    last: the last committed run. Returns the greatest key of a table whose key is counted up. Raises ConfigError for
    another cursor or key than so far, and TableError.
    """
    if last is not None and last.final is not None and last.final == mark.position:
        refuse_other_order(last, table)
    clock = clock_of(scope, source)
    stands_on = mark.position.key if mark.position and table.primary_key else None
    state = source.state(table, clock.now, stands_on)
    _check_cursors(scope, table, state.counts)
    if scope.heartbeat.clock_went_back(mark):
        raise continuity.clock_went_back(scope, mark)
    continuity.check_rows(scope, source, table, mark, last=last, state=state, clock=clock)
    newest = state.newest_key
    continuity.check_stamps(scope, table, mark, newest, clock)
    return int(newest.key[0]) if newest and newest.key else None


def _check_cursors(scope: Scope, table: SourceTable, counts: CursorCounts | None) -> None:
    """Rows without a cursor, or with one in the future, are not read: say how many, or refuse, as the table's settings
    say. counts None: no index tells.
    """
    config = scope.config
    if counts is None:
        _not_counted(scope, table, f"no index begins with {table.cursor}", f"create an index on {table.cursor}")
        return
    if counts.nulls is None or counts.future is None:
        _not_counted(scope, table, "counting them takes longer than max_statement", "raise max_statement")
        return
    cursor = table.cursor
    unread = (
        (counts.nulls, "null_cursor", f"no {cursor} and are never extracted", f"give every row a {cursor}"),
        (
            counts.future,
            "future_cursor",
            f"a {cursor} in the future and are not extracted before that time comes",
            "correct them, and the zone that the application writes in",
        ),
    )
    for count, rule, what, next_step in unread:
        text = f"{count} rows have {what}" if count > 1 else f"1 row has {what.replace('are', 'is', 1)}"
        if count and getattr(config, rule) == "error":
            raise CursorsDoubtful(text, f"{rule} is `error` for this table", next_step)
        if count:
            scope.tell(text, Severity.WARNING)


def _not_counted(scope: Scope, table: SourceTable, why: str, next_step: str) -> None:
    """Say that rows without a cursor, or with one in the future, are not counted; or refuse."""
    unknown = [name for name in ("null_cursor", "future_cursor") if getattr(scope.config, name) == "error"]
    if unknown:
        raise CursorsDoubtful(
            f"whether rows of {table.table} have no {table.cursor}, or one in the future, is not known",
            f"{why}, and {' and '.join(unknown)} is `error` for this table",
            f"{next_step}, or say `report`",
        )
    scope.tell(f"{why}: rows without a {table.cursor}, or with one in the future, are not counted")
