"""Whose rows are these: the store's identity, and accepting what a sync refused because it does not fit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from wmtui.errors import UsageError
from wmtui.model import TableName
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes, lease, store_identity
from wmtui.watermarks.changes import Action, Patch
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.store_identity import StoreIdentity
from wmtui.watermarks.timestamps import format_instant

if TYPE_CHECKING:
    from wmtui.pipeline.context import Scope
    from wmtui.pipeline.load.ledger_findings import Finding
    from wmtui.pipeline.load.table_ledger import TableLedger


class StoreInfo(Struct, frozen=True):
    """A store as it is. identity: None where nothing was ever written. known: it was written from this root before, or
    an operator accepted it.
    """

    root: str
    identity: StoreIdentity | None
    known: bool


class Accepted(Struct, frozen=True):
    """What was accepted; nothing where everything fits."""

    mark: Watermark
    findings: "tuple[Finding, ...]"


class Ownership:
    """StoreInfo and targets, and what is accepted about them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def store(self) -> StoreInfo:
        """Id, roots and warehouses of the store. Raises Unreadable."""
        identity, root = self._workspace.watermarks.known_identity(), self._workspace.objects.uri("")
        return StoreInfo(root, identity, identity is None or identity.knows(root))

    def accept_moved(self, *, reason: str) -> StoreInfo:
        """Let the store be written from where it is now: it was moved there, and is not written elsewhere any more.

        Raises UsageError without a reason, or where the store is known here already.
        """
        workspace = self._workspace
        workspace.require_write(reason)
        _require_reason(reason, "those who look for doubled rows later need to know")
        workspace.watermarks.require_conditions()
        store = self.store()
        if store.known:
            raise UsageError(
                f"the store is known at {store.root}", "there is nothing to accept", "see `wmtui store show`"
            )
        now, by = format_instant(workspace.clock()), f"{workspace.author.actor}@{workspace.author.host}"
        identity = store_identity.accept_root(workspace.objects, now=now, by=by, reason=reason)
        workspace.watermarks.forget_identity()
        return StoreInfo(store.root, identity, known=True)

    def accept(self, table: TableName, *, reason: str, moved_from: str | None = None) -> Accepted:
        """Let a table go on loading into its target as both are now; the journal says who did, and why.

        moved_from: the table whose rows the target has, which is the same one under another name. Raises UsageError
        without a reason, or where another table's rows are to be named; LeaseHeld during a run; WarehouseError.
        """
        from wmtui.files.selection import earlier_runs
        from wmtui.runs.run_document import new_run_id

        w = self._workspace
        w.require_write(reason)
        _require_reason(reason, "those who find wrong rows later need to know")
        w.watermarks.identity()
        heartbeat = w.heartbeat(table)
        if heartbeat.held:
            raise heartbeat.refusal()
        mark = w.watermarks.read(table).watermark
        scope = self._scope(table)
        findings, ledger = self._findings(scope, mark)
        _check_moved_from(scope, ledger, findings, moved_from)
        if not findings:
            return Accepted(mark, ())
        fence = max(mark.fence, ledger.mine.token)
        run = new_run_id(w.clock(), *earlier_runs(heartbeat))
        held, _ = lease.acquire(w.objects, w.clock, w.author, table, run, fence=fence, compared=ledger.warehouse)
        held.set_phase("accepting")
        try:
            w.warehouse.accept(scope.feed, token=held.token, run=held.run, moved_from=moved_from)
            warehouse = w.warehouse.loads(scope.feed).warehouse or ""
            doubts, now = [f.doubt.value for f in findings], w.clock()

            def edit(seen: Watermark) -> Patch:
                return changes.accept_warehouse(seen, warehouse, doubts=doubts, at=now, fence=held.token)

            mark = w.watermarks.change(table, Action.ACCEPTED, edit, reason=reason)
        finally:
            held.release()
        return Accepted(mark, tuple(findings))

    def _scope(self, table: TableName) -> "Scope":
        from wmtui.pipeline.context import Scope, SyncOptions
        from wmtui.service.syncs import open_backend

        w = self._workspace
        return Scope(
            table=table,
            config=w.config(table),
            backend=open_backend(w),
            options=SyncOptions(),
            heartbeat=w.heartbeat(table),
            emit=lambda _: None,
        )

    def _findings(self, scope: "Scope", mark: Watermark) -> "tuple[list[Finding], TableLedger]":
        from wmtui.pipeline.load.ledger_findings import Doubt, unknown_loads
        from wmtui.pipeline.load.table_ledger import read_ledger, unknown_keys

        ledger = read_ledger(scope, mark)
        findings = [finding for finding in ledger.findings if finding.doubt is not Doubt.NEW_ROOT]
        if unknown := unknown_keys(scope, ledger, mark, None):
            findings.append(unknown_loads(ledger.facts, unknown))
        return findings, ledger


def _require_reason(reason: str, why: str) -> None:
    if not reason.strip():
        raise UsageError("why is it accepted?", why, "add --reason '…'")


def _check_moved_from(
    scope: "Scope", ledger: "TableLedger", findings: "Sequence[Finding]", moved_from: str | None
) -> None:
    """Raises UsageError unless the table whose rows the target has is named, and no other."""
    from wmtui.pipeline.load.ledger_findings import Doubt

    others = sorted({f.table for f in ledger.mine.others if f.moved_to is None and f.table != str(scope.table)})
    mixed = any(finding.doubt is Doubt.OTHER_TABLE for finding in findings)
    if moved_from is None and mixed and others:
        raise UsageError(
            f"target {scope.config.target} has rows of {', '.join(others)}",
            f"they become rows of {scope.table}, and {others[0]} cannot load into it any more",
            f"add --moved-from {others[0]} if that is the same table under its earlier name",
        )
    if moved_from is not None and moved_from not in others:
        raise UsageError(
            f"{moved_from} has loaded nothing into {scope.config.target}",
            f"those that have are {', '.join(others) or 'none'}",
            "name one of them, or leave --moved-from out",
        )
