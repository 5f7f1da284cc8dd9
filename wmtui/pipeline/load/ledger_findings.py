"""Whose rows a target has: pure rules over what the warehouse's ledger says and what the store remembers.

A store is moved, copied, put back or lost; a warehouse is restored, replaced, or has rows that wmtui never loaded.
Each shows as ledger and store that do not fit each other. With a primary key most of it does no harm, and is reported;
without one rows would double, and it is refused until an operator accepts it.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from wmtui.layout import FLAT_DATA, data_folder
from wmtui.model import TableName
from wmtui.warehouses import Feed, Fence, KnownLoads, LedgerEntry


class Doubt(StrEnum):
    """What does not fit. The values are part of the JSON interface."""

    NEW_ROOT = "new_root"
    STORE_WENT_BACK = "store_went_back"
    FOREIGN_ROWS = "foreign_rows"
    OTHER_TABLE = "other_table"
    ROWS_GONE = "rows_gone"
    UNKNOWN_LOADS = "unknown_loads"


class Finding(Struct, frozen=True):
    """One doubt. refused: nothing is loaded before an operator accepts it; else it is only reported. what, why,
    next_step: as errors have them. harmful_read: extracting would do harm too.
    """

    doubt: Doubt
    refused: bool
    what: str
    why: str
    next_step: str
    harmful_read: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.why}"


class OwnedLoads(Struct, frozen=True):
    """What of a warehouse's ledger is this store's. claim: some of it had no store yet, and is taken."""

    entries: tuple[LedgerEntry, ...]
    fence: Fence | None
    others: tuple[Fence, ...]
    claim: bool = False

    @property
    def ever_loaded(self) -> bool:
        """A load of this table went into the target before."""
        return bool(self.entries) or self.fence is not None

    @property
    def token(self) -> int:
        """The highest token that loaded; 0 before the first."""
        return self.fence.token if self.fence is not None else 0


def key_of(entry: LedgerEntry, table: TableName) -> str:
    """A ledger row's key below the store's root; from its address where it is older than keys in the ledger."""
    if entry.key:
        return entry.key
    for prefix in (data_folder(table), FLAT_DATA):
        before, separator, rest = entry.uri.rpartition(f"/{prefix}")
        if separator and before:
            return prefix + rest
    return entry.uri


def owned_loads(known: KnownLoads, feed: Feed, root: str, recorded: frozenset[str]) -> OwnedLoads:
    """What of a target's ledger is a store's.

    Rows from before stores had ids belong to none until a store shows that they are its own: they were loaded from its
    root, or it has the record of one of their loads. recorded: ids of loads that the store remembers.
    """
    unowned = [entry for entry in known.entries if not entry.store]
    claim = any(entry.uri.startswith(root) or entry.load_id in recorded for entry in unowned)
    entries = tuple(e for e in known.entries if e.store == feed.store or claim)
    fences = [f for f in known.fences if f.table == feed.table and (f.store == feed.store or (claim and not f.store))]
    fence = max(fences, key=lambda f: f.token, default=None)
    others = tuple(f for f in known.fences if f not in fences)
    return OwnedLoads(entries, fence, others, claim)


class LedgerFacts(Struct, frozen=True):
    """What a table's ledger is compared with.

    keyless: no primary key. epoch: of the watermark. token: the highest that lock document and watermark know.
    known_root: the store was written from here before. reload: everything is loaded again on purpose. may_shrink: rows
    of the target may be removed by others.
    """

    table: TableName
    target: str
    root: str
    keyless: bool
    epoch: int
    token: int
    known_root: bool = True
    reload: bool = False
    may_shrink: bool = False


def find_doubts(facts: LedgerFacts, mine: OwnedLoads, known: KnownLoads) -> list[Finding]:
    """Everything that does not fit, refusals first."""
    findings = [
        *([] if facts.known_root else [new_root(facts.root, keyless=facts.keyless)]),
        *_store_went_back(facts, mine),
        *_foreign_rows(facts, mine, known),
        *_rows_gone(facts, mine, known),
    ]
    return sorted(findings, key=lambda finding: not finding.refused)


def new_root(root: str, *, keyless: bool) -> Finding:
    """The store is somewhere else than where it was written so far."""
    return Finding(
        doubt=Doubt.NEW_ROOT,
        refused=keyless,
        what=f"the store was never written from {root} before",
        why="it was moved, or copied while the other one is still in use; then both would load the same rows"
        + ("" if keyless else ", which is harmless with a primary key"),
        next_step="if it was moved: `wmtui store accept --moved --reason …`; else give the copy a store of its own",
        harmful_read=True,
    )


def _store_went_back(facts: LedgerFacts, mine: OwnedLoads) -> list[Finding]:
    if mine.token <= facts.token:
        return []
    return [
        Finding(
            doubt=Doubt.STORE_WENT_BACK,
            refused=facts.keyless,
            what=f"the warehouse has loads of {facts.table} that this store does not know",
            why=f"they have token {mine.token}, the store's newest is {facts.token}: it was put back to an earlier "
            "moment, or its documents were lost; rows since then are read and loaded again",
            next_step=_ACCEPT.format(table=facts.table),
            harmful_read=True,
        )
    ]


def _foreign_rows(facts: LedgerFacts, mine: OwnedLoads, known: KnownLoads) -> list[Finding]:
    """The target has rows, and no load of this table brought any."""
    target = known.target
    if mine.ever_loaded or not target.exists or target.empty:
        return []
    rows = "rows" if target.rows is None else f"{target.rows:,} rows"
    others = sorted({f.table for f in mine.others if f.moved_to is None and f.table != str(facts.table)})
    if others:
        return [
            Finding(
                doubt=Doubt.OTHER_TABLE,
                refused=True,
                what=f"target {facts.target} has {rows} of {', '.join(others)}",
                why=f"no load of {facts.table} is in its ledger; loading would mix two tables",
                next_step=f"give {facts.table} a target of its own; if it is the same table under a new name: "
                f"`wmtui accept -t {facts.table} --moved-from {others[0]} --reason …`",
            )
        ]
    stores = sorted({f.store[:8] or "unknown" for f in mine.others if f.moved_to is None})
    filled = f"loads of store {', '.join(stores)} filled it" if stores else "another tool filled it"
    return [
        Finding(
            doubt=Doubt.FOREIGN_ROWS,
            refused=facts.keyless,
            what=f"target {facts.target} has {rows}, and no load of {facts.table} from this store is in its ledger",
            why=f"{filled}, or the store that did was lost; what is read now comes "
            + ("beside them: rows double" if facts.keyless else "over rows of equal keys"),
            next_step=_ACCEPT.format(table=facts.table),
        )
    ]


def _rows_gone(facts: LedgerFacts, mine: OwnedLoads, known: KnownLoads) -> list[Finding]:
    """Rows that were loaded are not there any more."""
    target = known.target
    expected = mine.fence.target_rows if mine.fence is not None else None
    brought = sum(entry.rows for entry in mine.entries)
    started_again = bool(mine.entries) and max(entry.epoch for entry in mine.entries) < facts.epoch
    if facts.reload or started_again or not (expected or (expected is None and brought)):
        return []
    if target.exists and not target.empty:
        if facts.may_shrink or expected is None or target.rows is None or target.rows >= expected:
            return []
        what = (
            f"target {facts.target} has {target.rows:,} rows, {expected - target.rows:,} less than after the last load"
        )
        why = "rows were deleted, or the table was put back"
    elif not target.exists:
        what = f"target {facts.target} does not exist, although {len(mine.entries)} files were loaded into it"
        why = "it was dropped or renamed"
    elif facts.may_shrink:
        return []
    else:
        what = f"target {facts.target} is empty, although {len(mine.entries)} files were loaded into it"
        why = "it was truncated, or made again"
    return [
        Finding(
            doubt=Doubt.ROWS_GONE,
            refused=True,
            what=what,
            why=f"{why}; loading only what is new would look right, and the other rows stay missing",
            next_step=f"load all files again: `wmtui sync -t {facts.table} --redshift-only --reprocess`; or read all "
            f"rows again: `wmtui watermark reset -t {facts.table}`; if it is meant so: "
            f"`wmtui accept -t {facts.table} --reason …`",
        )
    ]


def unknown_loads(facts: LedgerFacts, keys: Sequence[str]) -> Finding:
    """Files that a load record of this very warehouse has, and its ledger has not."""
    shown = ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
    return Finding(
        doubt=Doubt.UNKNOWN_LOADS,
        refused=facts.keyless,
        what=f"{len(keys)} files were loaded into {facts.target}, and its ledger does not know of it: {shown}",
        why="the warehouse was put back to an earlier moment, or rows were removed from the ledger",
        next_step="if the rows are missing in the target, load them again after "
        f"`wmtui accept -t {facts.table} --reason …`",
    )


_ACCEPT = "if that is as it should be: `wmtui accept -t {table} --reason …`"
