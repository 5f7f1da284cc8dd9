"""Running syncs, and showing beforehand what one would do."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import RowsWouldDouble, Unreadable, UsageError, WmtuiError, as_wmtui_error
from wmtui.files.selection import Selection
from wmtui.model import Strategy, TableName
from wmtui.runs.run_document import refuse_incomplete_copy
from wmtui.secrets import redact
from wmtui.service.process import process_age
from wmtui.service.workspace import Workspace
from wmtui.watermarks.lease import Batch
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall

if TYPE_CHECKING:
    from wmtui.events import Emit, Stop, TableResult
    from wmtui.pipeline.context import Backend, Scope, SyncOptions
    from wmtui.pipeline.extract.plan import Plan


_LONGEST_BATCH = 100


class Request(Struct, frozen=True):
    """What a sync is asked to do. tables: empty for every configured one, as cron wants it.

    wait: how long for a table that another run holds; batch: whose earlier try is not waited for.
    """

    tables: tuple[TableName, ...] = ()
    redshift_only: bool = False
    backup_only: bool = False
    strategy: Strategy = Strategy.SEQUENTIAL
    workers: int = 4
    limit: int | None = None
    reprocess: bool = False
    keys: tuple[str, ...] = ()
    force: bool = False
    reason: str | None = None
    wait: timedelta = timedelta(0)
    batch: str | None = None


class Preview(Struct, frozen=True):
    """What a sync of one table would do now. plan, estimate: None when nothing would be extracted. selection: the
    files that would be loaded besides the parts still to be written; None when nothing would be loaded.
    """

    table: TableName
    mode: str
    plan: "Plan | None" = None
    estimate: int | None = None
    selection: Selection | None = None
    error: WmtuiError | None = None


class Syncs:
    """Runs syncs of one table or many."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def sync(self, request: Request, *, emit: "Emit", stop: "Stop") -> "list[TableResult]":
        """Sync the tables asked for; one result each, in their order. Failures of tables are results.

        Without tables: every configured one, and those with a manual watermark are only loaded unless their
        `manual_in_run` says otherwise; a message says so. Raises UsageError and ConfirmationNeeded before anything
        is done.
        """
        from wmtui.pipeline.strategies import sync_tables

        self._workspace.require_write(request.reason)
        self._refuse_contradictions(request)
        tables, batch = self._tables(request), None
        if request.batch is not None:
            batch = Batch(redact(request.batch), _began(self._workspace, tables))
        jobs = {table: (self._workspace.config(table), self._options(request, table, batch)) for table in tables}
        return sync_tables(open_backend(self._workspace), jobs, emit=emit, stop=stop)

    def preview(self, request: Request, *, emit: "Emit") -> list[Preview]:
        """The plan a sync would execute now: window, row estimate, files with verdicts. Touches nothing."""
        self._refuse_contradictions(request)
        backend = open_backend(self._workspace)
        return [self._preview_table(backend, request, table, emit) for table in self._tables(request)]

    def _tables(self, request: Request) -> Sequence[TableName]:
        return tuple(dict.fromkeys(request.tables)) or tuple(self._workspace.settings.tables)

    def _options(self, request: Request, table: TableName, batch: Batch | None = None) -> "SyncOptions":
        from wmtui.pipeline.context import SyncOptions

        return SyncOptions(
            extract=not request.redshift_only,
            load=not request.backup_only,
            strategy=request.strategy,
            workers=request.workers,
            limit=request.limit,
            reprocess=request.reprocess,
            keys=request.keys,
            keep_manual=not request.tables and self._workspace.config(table).manual_in_run == "load",
            wait=request.wait,
            batch=batch,
            all_days=request.redshift_only and bool(request.tables),
        )

    def _refuse_contradictions(self, request: Request) -> None:
        for contradictory, what, why, next_step in _contradictions(request, len(self._tables(request))):
            if contradictory:
                raise UsageError(what, why, next_step)
        for table in self._tables(request):
            if request.reprocess and not request.force and not self._workspace.config(table).primary_key:
                raise RowsWouldDouble(
                    f"{table} has no primary key",
                    "loading a file again appends its rows once more",
                    "add --force if that is what you want",
                )

    def _preview_table(self, backend: "Backend", request: Request, table: TableName, emit: "Emit") -> Preview:
        from wmtui.pipeline.context import Scope, leaves_manual

        try:
            options = self._options(request, table)
            mark = self._workspace.watermarks.read(table).watermark
            scope = Scope(
                table=table,
                config=self._workspace.config(table),
                backend=backend,
                options=options,
                heartbeat=self._workspace.heartbeat(table),
                emit=emit,
            )
            refuse_incomplete_copy(backend.objects, mark)
            preview = Preview(table, "manual" if mark.is_manual else "automated")
            if options.extract and not leaves_manual(scope, mark):
                preview, mark = self._preview_extraction(scope, preview, mark)
            if options.load:
                preview = replace(preview, selection=_preview_load(scope, mark))
        except Exception as error:  # noqa: BLE001 - the other tables are planned
            return Preview(table, "unknown", error=as_wmtui_error(error))
        return preview

    def _preview_extraction(self, scope: "Scope", preview: Preview, mark: Watermark) -> tuple[Preview, Watermark]:
        """The window, and the watermark the extraction would leave: automated as of now if there are rows."""
        from wmtui.pipeline.extract.preview import preview_extraction

        found = preview_extraction(scope, mark)
        mark, plan, estimate = found.mark, found.plan, found.estimate
        if estimate:
            now = format_instant(self._workspace.clock())
            patch = {
                "backup_strategy": plan.strategy.value,
                "last_mysql_extraction_time": now,
                "last_mysql_data_timestamp": mark.fields["last_mysql_data_timestamp"] or format_wall(plan.high),
            }
            mark = mark.patched(patch)
        return replace(preview, plan=plan, estimate=estimate), mark


def open_backend(workspace: Workspace) -> "Backend":
    """What the pipeline works with."""
    from wmtui.pipeline.context import Backend

    w = workspace
    return Backend(
        objects=w.objects,
        watermarks=w.watermarks,
        files=w.new_filter(),
        source=w.source,
        warehouse=w.warehouse,
        zone=w.zone,
        clock=w.clock,
        author=w.author,
        profile=w.settings.profile_name,
        is_default=w.settings.is_default,
    )


def _is_batch(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_BATCH and text.isprintable() and text == text.strip()


def _began(workspace: Workspace, tables: Sequence[TableName]) -> datetime | None:
    """When this process began, by the store's clock, whole seconds; None where no table has a lock document yet."""
    for table in tables:
        with suppress(Unreadable):
            now = workspace.heartbeat(table).now
            if now is not None:
                return (now - process_age()).replace(microsecond=0)
    return None


def _contradictions(request: Request, tables: int) -> Sequence[tuple[bool, str, str, str]]:
    """Options that contradict each other: whether they are there, what, why, next step."""
    load_only, extract_only = request.redshift_only, request.backup_only
    limited, files = request.limit is not None, request.reprocess or bool(request.keys)
    return (
        (
            request.batch is not None and not _is_batch(request.batch),
            "--batch is no name of a batch",
            f"it has between 1 and {_LONGEST_BATCH} printable characters, none of them a blank at an end",
            "give every try of one batch the same name, such as a job's id and its date",
        ),
        (
            load_only and extract_only,
            "--redshift-only and --backup-only exclude each other",
            "one loads, the other extracts",
            "choose one, or leave both out for a full sync",
        ),
        (
            files and not load_only,
            "--reprocess and --key go with --redshift-only",
            "they choose files to load",
            "add --redshift-only",
        ),
        (
            bool(request.keys) and not request.reprocess,
            "--key goes with --reprocess",
            "without it the rules choose the files",
            "add --reprocess",
        ),
        (
            bool(request.keys) and tables != 1,
            "--key needs exactly one table",
            "a file belongs to one table",
            "name it with -t",
        ),
        (
            limited and request.strategy is Strategy.INTRA_TABLE,
            "--limit cannot be kept by intra-table",
            "its ranges commit only together",
            "use -s sequential",
        ),
        (
            limited and load_only,
            "--limit goes with extraction",
            "loading takes whole files",
            "leave it out, or name files with --reprocess --key",
        ),
    )


def _preview_load(scope: "Scope", mark: Watermark) -> Selection:
    from wmtui.pipeline.load.load_table import select
    from wmtui.pipeline.load.missing_files import refuse_lost, refuse_replaced
    from wmtui.pipeline.load.table_ledger import read_ledger, refuse_unknown_loads, tell_or_refuse

    ledger = read_ledger(scope, mark)
    tell_or_refuse(scope, ledger.findings)
    selection = select(scope, mark, ledger)
    refuse_replaced(selection)
    refuse_lost(scope, mark, selection, ledger)
    refuse_unknown_loads(scope, ledger, mark, selection.selected)
    return selection
