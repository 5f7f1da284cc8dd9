"""Ledger and fence of a warehouse: who has loaded what into which target; read, made, and kept inside a load."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from msgspec.structs import replace

from wmtui.errors import LedgerBroken, Superseded, TableError, TargetHandedOver
from wmtui.warehouses.ledger.session import LedgerSession
from wmtui.warehouses.ledger.statements import FORMAT, LEDGER, WAREHOUSE
from wmtui.warehouses.ledger_state import Feed, Fence, KnownLoads, LedgerEntry, TargetState
from wmtui.warehouses.load_request import LoadFile, LoadRequest


def read_loads(session: LedgerSession, feed: Feed) -> KnownLoads:
    """What was loaded into a target, and by whom, also by a ledger that was not brought to this format yet."""
    warehouse = warehouse_id(session)
    if warehouse is None:
        if has_first_ledger(session):
            try:
                return _read_first(session, feed)
            except Exception:  # Whatever it is, once another process has taken the ledger over meanwhile.
                if has_first_ledger(session):
                    raise
        warehouse = warehouse_id(session)
    target = session.state(feed.target)
    if warehouse is None:
        return KnownLoads(target=target)
    statements, whole = session.statements, session.statements.full_name(feed.target)
    entries = session.execute(statements.select_ledger(feed.target), feed.store, feed.table, whole)
    fences = session.execute(statements.select_fences(feed.target), whole)
    return KnownLoads(warehouse, tuple(map(_entry, entries)), tuple(map(_fence, fences)), target)


def _read_first(session: LedgerSession, feed: Feed) -> KnownLoads:
    statements = session.statements
    entries = session.execute(statements.select_first_ledger(), feed.table, feed.target)
    fences = session.execute(statements.select_first_fence(), feed.target)
    return KnownLoads(None, tuple(map(_entry, entries)), tuple(map(_fence, fences)), session.state(feed.target))


def _entry(row: Sequence[Any]) -> LedgerEntry:
    store, key, uri, etag, size, footer, rows, load_id, epoch, at = row
    return LedgerEntry(
        store=store,
        key=key,
        uri=uri,
        etag=etag,
        rows=rows,
        load_id=load_id,
        epoch=epoch,
        loaded_at=at.replace(tzinfo=UTC),
        size=size,
        footer=footer,
    )


def _fence(row: Sequence[Any]) -> Fence:
    store, table, token, run, target_id, rows, columns, moved_to = row
    return Fence(
        store=store,
        table=table,
        token=int(token),
        run=run,
        target_id=target_id,
        target_rows=rows,
        columns=tuple(json.loads(columns or "[]")),
        moved_to=moved_to,
    )


def warehouse_id(session: LedgerSession) -> str | None:
    """The id that the first load gave the warehouse; None before it. Raises TableError for a newer format."""
    if not session.columns(WAREHOUSE):
        return None
    rows = session.execute(session.statements.select_warehouse())
    if not rows:
        raise LedgerBroken(
            "this warehouse has lost its id",
            f"{session.statements.own_table(WAREHOUSE)} has no row, so which loads it has is unknown",
            f"put the id back that `wmtui store show` has for this profile: {session.statements.insert_warehouse()}",
        )
    known, version = rows[0]
    if version > FORMAT:
        raise LedgerBroken(
            f"the ledger of this warehouse has format {version}",
            f"this wmtui knows formats up to {FORMAT}",
            "upgrade wmtui on this host; nothing was changed",
        )
    return str(known)


def has_first_ledger(session: LedgerSession) -> bool:
    """Whether an older wmtui loaded into this warehouse, and no newer one yet."""
    return bool(session.columns(LEDGER)) and not session.columns(WAREHOUSE)


def create_ledger(session: LedgerSession, *, first: bool) -> str:
    """Make ledger, fence and id of a warehouse, to be called at the beginning of a transaction. Returns the id.

    first: there is a ledger of the first format, which is taken over, unless another process did so meanwhile.
    """
    statements = session.statements
    targets = []
    if first:
        session.lock_first_ledger()
        if known := warehouse_id(session):
            return known
        targets = [target for (target,) in session.execute(statements.first_format_targets())]
    *tables, ledger, fence = statements.create_ledger()
    session.execute_all(tables)
    for target in targets:
        for statement in statements.take_over_first_format(target):
            session.execute(statement, target)
    session.execute_all([*(statements.drop_first_format() if first else ()), ledger, fence])
    made = uuid.uuid4().hex
    session.execute(statements.insert_warehouse(), made, FORMAT, session.now())
    return made


def ledger_unusable(schema: str, error: Exception) -> TableError:
    """The error where the ledger can be made neither by this process nor by another."""
    return LedgerBroken(
        f"the ledger cannot be made in {schema}",
        " ".join(str(error).split()),
        f"tables or views wmtui_… are left of a ledger that is not whole: restore {WAREHOUSE} too, or drop them",
    )


def check_fence(session: LedgerSession, feed: Feed, token: int, run: str) -> Fence | None:
    """What an earlier load of this feed left. Raises Conflict when a newer run has passed, or another with this token,
    and TableError when the target was handed over to another table.
    """
    whole = session.statements.full_name(feed.target)
    fences = [_fence(row) for row in session.execute(session.statements.select_fences(feed.target), whole)]
    mine = [f for f in fences if (f.store, f.table) == (feed.store, feed.table)]
    known = max(mine, key=lambda f: f.token, default=None)
    if known is None:
        return None
    if known.moved_to is not None:
        raise TargetHandedOver(
            f"{feed.target} is the target of {known.moved_to} now",
            f"{feed.table} loaded into it before, and it was handed over",
            f"give {feed.table} another target in tables.yaml",
        )
    if known.token > token or (known.token == token and known.run not in ("", run)):
        raise Superseded(
            f"a newer run has taken over {feed.table}",
            f"run {known.run or 'of an older wmtui'} loaded with token {known.token}, this one has {token}",
            "nothing was loaded by this run; the newer one goes on",
        )
    return known


def fence_after(request: LoadRequest, known: Fence | None) -> Fence:
    """What a load leaves that changed nothing of the target. known: what an earlier one left."""
    return replace(
        known or Fence(store=request.feed.store, table=request.table, token=0, run=""),
        token=request.token,
        run=request.run,
    )


def write_fence(session: LedgerSession, request: LoadRequest, known: Fence | None, left: Fence) -> None:
    """Leave what this load left of the target for the next one."""
    statements, feed = session.statements, request.feed
    statement = statements.update_fence if known is not None else statements.insert_fence
    session.execute(
        statement(feed.target),
        *(feed.store, feed.table, statements.full_name(feed.target)),
        *(left.token, left.run, left.target_id, left.target_rows, json.dumps(left.columns, ensure_ascii=False)),
    )


def claim(session: LedgerSession, feed: Feed) -> None:
    """Give what the ledger has of no store for this table and target to this store."""
    for statement in session.statements.claim(feed.target):
        session.execute(statement, feed.store, feed.table, session.statements.full_name(feed.target))


def loaded_before(session: LedgerSession, request: LoadRequest) -> set[LoadFile]:
    """Files of a request that are loaded in this epoch or a later one, none if they are to be loaded again. A part of
    our own counts by its key, whatever its ETag is now; another file as it was loaded last.
    """
    if request.reprocess:
        return set()
    statements, feed = session.statements, request.feed
    rows = session.execute(
        statements.select_ledger(feed.target), feed.store, feed.table, statements.full_name(feed.target)
    )
    entries = [_entry(row) for row in rows]
    mine = [entry for entry in entries if entry.store == feed.store and entry.epoch >= request.epoch]
    last = {entry.key or entry.uri: entry.etag for entry in mine}  # Rows of the first format have no key.
    etags = {file: last.get(file.key, last.get(file.uri)) for file in request.files}
    return {file for file, etag in etags.items() if etag is not None and (file.rows is not None or etag == file.etag)}


def write_ledger(session: LedgerSession, request: LoadRequest, fresh: Mapping[LoadFile, int]) -> None:
    """A row for each file, with its rows."""
    statements, feed = session.statements, request.feed
    whole, now = statements.full_name(feed.target), session.now()
    rows: Sequence[Sequence[object]] = [
        (
            *(feed.store, feed.table, whole, file.key, file.etag, file.size, file.footer, file.uri, count),
            *(request.load_id, request.run, request.epoch, request.token, now),
        )
        for file, count in fresh.items()
    ]
    session.insert(statements.insert_ledger(feed.target), rows)


def accept_target(
    session: LedgerSession, feed: Feed, state: TargetState, *, token: int, run: str, moved_from: str | None
) -> None:
    """Transaction of `accept`, the ledger locked: the target as it is now is what this table's loads left."""
    statements, whole = session.statements, session.statements.full_name(feed.target)
    session.execute(statements.take_back(feed.target), feed.store, feed.table, whole)
    if moved_from is not None:
        session.execute(statements.hand_over(feed.target), moved_from, whole, feed.table)
    claim(session, feed)
    mine = f"{feed.table} of store {feed.store[:8]}"
    session.execute(statements.retire_others(feed.target), feed.store, feed.table, whole, mine)
    known = check_fence(session, feed, token, run)
    left = Fence(
        store=feed.store,
        table=feed.table,
        token=token,
        run=run,
        target_id=state.id,
        target_rows=state.rows if state.exists else 0,
        columns=known.columns if known else (),
    )
    request = LoadRequest(load_id="", feed=feed, epoch=0, token=token, run=run, cursor="", primary_key=(), files=())
    write_fence(session, request, known, left)
