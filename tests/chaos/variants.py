"""Broken variants of the product, each of which the harness must find.

Each is applied inside a process of its own, before it runs; the product itself knows nothing of them.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any

from msgspec.structs import replace

from wmtui.files import selection
from wmtui.files.selection import settled_run
from wmtui.model import Span
from wmtui.objects import ObjectStore, conditional_writes
from wmtui.pipeline import sync
from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract import extract_table, run_writer
from wmtui.pipeline.load import load_table, lock_notes, missing_files
from wmtui.runs import run_document as runs
from wmtui.sources.mysql.source import MySQLConnection
from wmtui.warehouses import Feed
from wmtui.warehouses.load import merge, staging
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.pg_protocol import merge_transaction
from wmtui.warehouses.postgres import building
from wmtui.warehouses.postgres.session import PostgresSession
from wmtui.watermarks import changes, documents, lease


def offset_resume() -> None:
    """Resume after as many rows as were read, wherever they are now."""
    skipped: dict[Span, int] = {}
    original = MySQLConnection.read

    def resumed(run: runs.Run) -> list[tuple[int, Span]]:
        left = [(index, r) for index, r in enumerate(run.ranges) if not r.done]
        skipped.update({r.span: sum(part.rows for part in r.parts) for _, r in left})
        return [(index, r.span) for index, r in left]

    def read(self: MySQLConnection, table: Any, span: Span, *others: Any) -> Iterator[Any]:
        left = skipped.get(span, 0)
        for batch in original(self, table, span, *others):
            kept = batch.slice(left)
            left -= batch.num_rows - kept.num_rows
            yield kept

    extract_table.resumed = resumed
    MySQLConnection.read = read


def reusable_part_names() -> None:
    """Name parts by run and number alone, and write over whatever is there."""
    original = run_writer.part_key
    run_writer.part_key = lambda table, started, run, _, part: original(table, started, run, 0, part)
    run_writer.put_part = lambda objects, key, data: objects.put(key, data)


def staging_before_the_lock() -> None:
    """Stage in the transaction that merges: its snapshot is older than the lock."""

    def merge_once(session: Any, request: Any, merge: Any) -> Any:
        with session.transaction():
            session.now()
            session.lock_ledger(request.target)
            return merge()

    merge_transaction._merge_once = merge_once


def token_from_one() -> None:
    """Count tokens in the lock document alone."""

    def acquire(*args: Any, **_: Any) -> Any:
        return lease.acquire(*args)

    sync.lease = _Patched(lease, acquire=acquire)


def no_fencing() -> None:
    """Let any token load."""
    original = merge.check_fence
    merge.check_fence = lambda session, feed, _, run: original(session, feed, sys.maxsize, run)


def ledger_outside_the_transaction() -> None:
    """Commit the ledger rows, then the data."""
    write_ledger = merge.write_ledger
    for module in (merge, building):
        module.write_ledger = lambda *_: None
        module.loaded_before = lambda *_: set()

    def merge_once(session: Any, request: Any, merge: Any) -> Any:
        with session.transaction():
            session.lock_ledger(request.target)
            write_ledger(session, request, {file: file.rows for file in request.files})
        with session.transaction():
            return merge()

    merge_transaction._merge_once = merge_once


def plain_put() -> None:
    """Write documents without a condition."""
    documents.write = lambda objects, key, data, _: objects.put(key, data)


def probe_that_only_creates() -> None:
    """Prove If-None-Match and believe the rest."""

    def prove(store: ObjectStore, key: str) -> None:
        conditional_writes._accepts(store, key, b"1", if_absent=True)
        if conditional_writes._accepts(store, key, b"2", if_absent=True):
            raise conditional_writes._ignored(store, "it overwrote an object that was to be created only if absent")

    conditional_writes._prove = prove


def key_kept_after_set() -> None:
    """Move the time and leave the key of the row that was last."""

    set_point = changes.set_point

    def patch(*args: Any) -> Mapping[str, Any]:
        return {name: value for name, value in set_point(*args).items() if name != "last_processed_key"}

    changes.set_point = patch


def fence_not_raised() -> None:
    """Begin a run without telling the watermark its token."""

    start_run = changes.start_run

    def patch(*args: Any) -> Mapping[str, Any]:
        return {name: value for name, value in start_run(*args).items() if name != "fence"}

    changes.start_run = patch


def old_token_kept() -> None:
    """Go on with a run under the token it began with."""
    run_writer.replace = lambda run, **changes: replace(run, **{k: v for k, v in changes.items() if k != "token"})


def resume_without_the_key() -> None:
    """Go on after the time of the last row, whichever row of that time it was."""
    original = extract_table.resumed

    def resumed(run: runs.Run) -> list[tuple[int, Span]]:
        return [
            (index, replace(span, after=replace(span.after, key=None)) if span.after and span.after.key else span)
            for index, span in original(run)
        ]

    extract_table.resumed = resumed


def mark_that_passes_a_pending_run() -> None:
    """Note every run as settled that has no part to load, also one that is to be gone on with."""
    original = load_table.note_settled

    def note(job: Any, mark: Any, *args: Any, **end: Any) -> None:
        original(job, mark.patched({"pending_extraction": None}), *args, **end)

    load_table.note_settled = note


def no_store_id() -> None:
    """Know what is loaded by the address it was loaded from."""

    def feed(self: Scope) -> Feed:
        return Feed(self.backend.objects.uri(""), str(self.table), self.config.target)

    Scope.feed = property(feed)


def mark_that_outlives_its_warehouse() -> None:
    """Believe the mark that the last load left, whatever the ledger has."""

    def settled(mark: Any, heartbeat: Any, table: Any, decided: Any, _: Any = None) -> str:
        return settled_run(mark, heartbeat, table, decided)

    selection.settled_run = settled
    lock_notes.settled_run = settled
    missing_files.settled_run = settled


def no_staging_id() -> None:
    """Stage every load in a temporary table of one name, and merge whatever that has."""

    def create(self: PostgresSession, name: str) -> Any:
        self.execute(f"DROP TABLE IF EXISTS {name}")
        return created(self, name)

    created = PostgresSession.create_staging
    PostgresSession.create_staging = create
    PostgresSession.pooled = property(lambda _: False, lambda *_: None)
    staging.staging_name = lambda *_: "staged"
    merge.verify_staging = lambda *_: None


def first_load_without_proof_of_its_keys() -> None:
    """Let a first load take for granted that no key comes twice."""
    Statements.add_primary_key = lambda *_: "SELECT 1"


def shared_ledger_lock_forgotten() -> None:
    """Merge without the lock that keeps other loads into the target out."""
    PostgresSession.lock_ledger = lambda *_: None


def high_without_transactions() -> None:
    """Read up to the source's clock, whoever is still writing."""
    clock = MySQLConnection.clock

    @wraps(clock)
    def blind(self: MySQLConnection, *args: Any) -> Any:
        return replace(clock(self, *args), writer=None)

    MySQLConnection.clock = blind


class _Patched:
    """A module with some of its names replaced, for one importer of it."""

    def __init__(self, module: Any, **names: Any) -> None:
        self.__dict__.update({**vars(module), **names})


VARIANTS: dict[str, Callable[[], None]] = {
    variant.__name__.replace("_", " "): variant
    for variant in (
        offset_resume,
        reusable_part_names,
        staging_before_the_lock,
        token_from_one,
        no_fencing,
        ledger_outside_the_transaction,
        plain_put,
        probe_that_only_creates,
        key_kept_after_set,
        fence_not_raised,
        old_token_kept,
        resume_without_the_key,
        mark_that_passes_a_pending_run,
        no_store_id,
        mark_that_outlives_its_warehouse,
        no_staging_id,
        first_load_without_proof_of_its_keys,
        shared_ledger_lock_forgotten,
        high_without_transactions,
    )
}
"""By name, as orders give it."""
