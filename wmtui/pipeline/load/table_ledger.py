"""What the warehouse's ledger says of one table's loads, compared with the store; load records that the store lacks."""

from collections.abc import Sequence
from datetime import date, timedelta

from msgspec import Struct

from wmtui.errors import TargetDoubtful
from wmtui.events import Severity
from wmtui.files.selection import LedgerLoads
from wmtui.files.verdicts import Candidate
from wmtui.pipeline.context import Scope
from wmtui.pipeline.load.ledger_findings import (
    Finding,
    LedgerFacts,
    OwnedLoads,
    find_doubts,
    key_of,
    new_root,
    owned_loads,
    unknown_loads,
)
from wmtui.runs.load_records import Destination, Load, LoadedFile, LoadRecord, LoadRecords
from wmtui.warehouses import Feed, KnownLoads
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import parse_instant


class TableLedger(Struct, frozen=True):
    """What a warehouse has of one table's loads. known: all it says of the target; mine: what of it is this store's.

    findings: what does not fit. records: the store's copy of the loads.
    """

    known: KnownLoads
    mine: OwnedLoads
    facts: LedgerFacts
    findings: tuple[Finding, ...]
    records: LoadRecords

    @property
    def warehouse(self) -> str:
        """The warehouse's id, empty before the first load into it."""
        return self.known.warehouse or ""

    @property
    def newest_load(self) -> str | None:
        """The id of the last load into the target; None before the first."""
        return self.mine.entries[-1].load_id if self.mine.entries else None

    def columns_of(self, feed: Feed) -> tuple[str, ...]:
        """Columns of the target that loads of a store's table ever brought."""
        mine = (fence for fence in self.known.fences if (fence.store, fence.table) == (feed.store, feed.table))
        return next((fence.columns for fence in mine), ())

    def files(self, scope: Scope, epoch: int) -> LedgerLoads:
        """Every file loaded in this epoch or a later one, as it was loaded last, and the ids of all loads."""
        loads = {
            key_of(entry, scope.table): Load(entry.etag, entry.loaded_at, entry.load_id)
            for entry in self.mine.entries
            if entry.epoch >= epoch
        }
        return LedgerLoads(loads, frozenset(entry.load_id for entry in self.mine.entries))


def read_ledger(scope: Scope, mark: Watermark) -> TableLedger:
    """Ask the warehouse, and compare what it says with what the store remembers. Raises WarehouseError."""
    backend, config, options = scope.backend, scope.config, scope.options
    identity = backend.watermarks.known_identity()
    known = backend.warehouse.loads(scope.feed)
    root = backend.objects.uri("")
    records = LoadRecords(backend.objects, scope.table)
    mine = owned_loads(known, scope.feed, root, _recorded(records, known))
    facts = LedgerFacts(
        table=scope.table,
        target=config.target,
        root=root,
        keyless=not config.primary_key,
        epoch=mark.epoch,
        token=scope.heartbeat.compared_token(known.warehouse, mark.fence),
        known_root=identity is None or identity.knows(root),
        reload=options.reprocess and not options.keys and not mark.is_manual and mark.position is not None,
        may_shrink=config.target_may_shrink,
    )
    return TableLedger(known, mine, facts, tuple(find_doubts(facts, mine, known)), records)


def _recorded(records: LoadRecords, known: KnownLoads) -> frozenset[str]:
    """Ids of loads that the store remembers, as far as the ledger has loads without a store."""
    unowned = [entry for entry in known.entries if not entry.store]
    if not unowned:
        return frozenset()
    first = min(entry.loaded_at for entry in unowned).date() - timedelta(days=1)
    return frozenset(record.load_id for record in records.since(first))


def refuse_root(scope: Scope) -> None:
    """Raises TableError for a table without primary key in a store that was never written from where it is now."""
    identity, root = scope.backend.watermarks.known_identity(), scope.backend.objects.uri("")
    if identity is None or identity.knows(root) or scope.config.primary_key:
        return
    finding = new_root(root, keyless=True)
    raise TargetDoubtful(finding.what, finding.why, finding.next_step)


def tell_or_refuse(scope: Scope, findings: Sequence[Finding]) -> None:
    """Raises TableError for the first doubt that is refused; tells of the others."""
    for finding in findings:
        if finding.refused:
            raise TargetDoubtful(finding.what, finding.why, finding.next_step)
        scope.tell(str(finding), Severity.WARNING)


def refuse_unknown_loads(scope: Scope, ledger: TableLedger, mark: Watermark, files: Sequence[Candidate]) -> None:
    """Say which files to load have a record that this very warehouse has them. Raises TableError for a table without
    primary key, because it is not known whether their rows are in the target.
    """
    if not files or scope.options.reprocess:
        return
    since = min(file.last_modified for file in files).date() - timedelta(days=1)
    keys = {file.key for file in files}
    doubted = [key for key in unknown_keys(scope, ledger, mark, since) if key in keys]
    if doubted:
        finding = unknown_loads(ledger.facts, doubted)
        if finding.refused:
            raise TargetDoubtful(finding.what, finding.why, finding.next_step)
        scope.tell(f"{finding}; they are loaded again", Severity.WARNING)


def unknown_keys(scope: Scope, ledger: TableLedger, mark: Watermark, since: date | None) -> list[str]:
    """Files that the records of loads into this warehouse have, and its ledger has not. since: the first day of records
    that are read; None: all of them.
    """
    if ledger.known.warehouse is None:
        return []
    accepted = mark.loads_into(ledger.known.warehouse).get("accepted_at")
    destination = Destination(ledger.known.warehouse, scope.config.target)
    loads = ledger.files(scope, mark.epoch).loads
    recorded = {
        file.key: record
        for record in ledger.records.since(since)
        if record.warehouse is not None and destination.has(record) and record.epoch >= mark.epoch
        for file in record.files
    }
    return [key for key, record in recorded.items() if key not in loads and not _before(record, accepted)]


def _before(record: LoadRecord, accepted: object) -> bool:
    return isinstance(accepted, str) and record.ended <= parse_instant(accepted)


def repair_records(scope: Scope, mark: Watermark, ledger: TableLedger, *, recorded: str | None) -> LoadRecord | None:
    """Record the loads that the ledger has and the store does not, because a crash came between commit and record.

    Of all epochs, because `undo` may go back to an earlier one. recorded: the newest load up to which that was done
    before; None: everything is looked at. Returns the last load of this epoch as the ledger has it. Raises Conflict,
    Unreadable.
    """
    entries = ledger.mine.entries
    ids = list(dict.fromkeys(entry.load_id for entry in entries))
    unsure = set(ids[ids.index(recorded) + 1 :] if recorded in ids else ids)
    if unsure:
        first = min(entry.loaded_at for entry in entries if entry.load_id in unsure)
        # The warehouse dates the entry, the host dated the record: their days may differ by one.
        known = {record.load_id for record in ledger.records.since(first.date() - timedelta(days=1))}
        for load_id in ids:
            if load_id in unsure - known:
                scope.tell(f"load {load_id} was committed but not recorded; recording it now")
                ledger.records.add(_record_of(scope, mark, ledger, load_id))
    last = next((entry.load_id for entry in reversed(entries) if entry.epoch >= mark.epoch), None)
    return None if last is None else _record_of(scope, mark, ledger, last)


def _record_of(scope: Scope, mark: Watermark, ledger: TableLedger, load_id: str) -> LoadRecord:
    files = [entry for entry in ledger.mine.entries if entry.load_id == load_id]
    last = files[-1]
    return LoadRecord(
        load_id=load_id,
        target=scope.config.target,
        epoch=last.epoch,
        token=mark.fence,
        started=last.loaded_at,
        ended=last.loaded_at,
        files=tuple(LoadedFile(key_of(e, scope.table), e.uri, e.etag, e.rows) for e in files),
        warehouse=ledger.known.warehouse,
    )
