"""Files that a load would have to take and that are gone, or are not what was written: refused before it begins.

A load that went on without them would leave rows out, and every later one would look right.
"""

from contextlib import suppress
from datetime import datetime
from zoneinfo import ZoneInfo

from wmtui.errors import FileGone, FileReplaced, NotAStore, ObjectMissing
from wmtui.files.decisions import Decisions
from wmtui.files.selection import Selection, settled_run
from wmtui.files.verdicts import VerdictReason
from wmtui.objects import ObjectStore
from wmtui.pipeline.context import Scope
from wmtui.pipeline.load.ledger_findings import key_of
from wmtui.pipeline.load.table_ledger import TableLedger
from wmtui.runs.run_document import Part, Run, RunState, RunStore, run_started
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall, to_instant, to_wall
from wmtui.watermarks.zones import zone_of


def refuse_replaced(selection: Selection) -> None:
    """Raises TableError when a listed part is no longer what its run wrote."""
    for verdict in selection.verdicts:
        if verdict.reason is VerdictReason.REPLACED:
            raise FileReplaced(
                f"{verdict.file.key} was replaced",
                selection.explain(verdict),
                "restore the object's version that the run wrote; or give its rows up: "
                f"`wmtui files -t … --skip {verdict.file.key} --reason …`",
            )


def refuse_lost(scope: Scope, mark: Watermark, selection: Selection, ledger: TableLedger) -> None:
    """Raises TableError when a file is gone that would have to be loaded: its rows would be missing, and every later
    load would look right.
    """
    if scope.options.reprocess and not scope.options.keys:
        _refuse_gone(scope, selection, ledger)
    if selection.basis.session is not None:
        _refuse_missing(scope, mark, selection, ledger)


def _refuse_gone(scope: Scope, selection: Selection, ledger: TableLedger) -> None:
    """Of files that were loaded, and are to be loaded again."""
    after = selection.basis.after
    present = {file.key for file in selection.listing.candidates}
    gone = {
        key_of(entry, scope.table): entry.rows
        for entry in ledger.mine.entries
        if entry.epoch >= selection.basis.epoch and (after is None or entry.loaded_at > after)
    }
    loaded = len(gone)
    gone = {key: rows for key, rows in gone.items() if key not in present}
    if gone:
        shown = ", ".join(sorted(gone)[:3]) + (", …" if len(gone) > 3 else "")
        raise FileGone(
            f"{len(gone)} of {loaded} loaded files are gone: {sum(gone.values()):,} rows ({shown})",
            "loading the others again would not bring their rows back",
            f"`wmtui watermark reset -t {scope.table}` reads all rows again; `--reprocess --key …` loads single files",
        )


def _refuse_missing(scope: Scope, mark: Watermark, selection: Selection, ledger: TableLedger) -> None:
    """Of parts that a committed run lists, and that are neither in the store nor in the ledger."""
    store = RunStore(scope.backend.objects, scope.table)
    present = {file.key for file in selection.listing.candidates}
    known = ledger.files(scope, mark.epoch)
    loading, decided = scope.loading(ledger.known.warehouse), selection.decisions
    by_name = {key.rpartition("/")[2]: key for key in present}
    settled = settled_run(mark, scope.heartbeat, loading, decided, known)
    # The run that the watermark stands on is known without a listing, which may be old.
    unsettled, read = selection.unsettled, selection.listing.runs
    names = {*(store.since(settled) if unsettled is None else unsettled)}
    for name in sorted({*names, *filter(lambda run: run > settled, (mark.extracted_run or "",))}):
        run = read[name] if name in read else _stored(store, name)
        if run is None or run.state is not RunState.COMMITTED or run.epoch != mark.epoch:
            continue
        for part in run.parts:
            if part.key in present or part.key in selection.loaded or _given_up(decided, part):
                continue
            if not _read_again(scope, mark, name, part):
                _refuse_unlisted(scope.backend.objects, part)
                raise _file_gone(scope, run, part, by_name.get(part.key.rpartition("/")[2]))


def _stored(store: RunStore, name: str) -> Run | None:
    stored = store.read(name)
    return stored.run if stored else None


def _file_gone(scope: Scope, run: Run, part: Part, moved: str | None) -> FileGone:
    """moved: the key of a file of the same name in another folder."""
    point = _in_words(part.min_cursor, run.timezone, scope.backend.zone)
    keyed = bool(scope.config.primary_key)
    before = "at or before" if keyed else "(with --force: rows loaded since come twice) before"
    restore = f"move {moved} back to where it was" if moved else "restore it"
    return FileGone(
        f"{part.key} is gone",
        f"run {run.run} committed it with {part.rows} rows, and it was never loaded",
        f"{restore}, or read its rows again: `wmtui watermark set -t {scope.table} --timestamp …` {before} "
        f"{point}; or give them up: `wmtui files -t {scope.table} --write-off --key {part.key} --reason …`",
    )


def _refuse_unlisted(objects: ObjectStore, part: Part) -> None:
    """Raises NotAStore for a part that is there although no listing shows it."""
    with suppress(ObjectMissing):
        objects.head(part.key)
        what = f"{objects.root} does not list {part.key}"
        why = "the file is there, so the listing is old, or of another place"
        raise NotAStore(what, why, "sync again; if it lasts, look for a proxy or cache in front of the store")


def _given_up(decided: Decisions, part: Part) -> bool:
    """Whether an operator decided to do without a part that is gone."""
    decision = decided.files.get(part.key)
    return decision is not None and decision.etag == part.etag


def _read_again(scope: Scope, mark: Watermark, run: str, part: Part) -> bool:
    """Whether the watermark was placed before a part, after its run: its rows were read again since."""
    if mark.placed is None or mark.load_floor is None or run_started(run) >= mark.placed:
        return False
    point = to_wall(mark.load_floor, zone_of(mark.timezone, scope.backend.zone))
    return point < part.min_cursor or (point == part.min_cursor and bool(scope.config.primary_key))


def _in_words(wall: datetime, zone: str | None, own: ZoneInfo) -> str:
    """A run's wall clock as `set` takes it: of another zone than the profile's, with the zone."""
    return format_wall(wall) if zone in (None, own.key) else f"'{format_instant(to_instant(wall, zone_of(zone, own)))}'"
