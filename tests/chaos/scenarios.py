"""Targeted campaigns: for each broken variant the shortest sequence of events in which it does harm.

Every scenario returns the differences it left behind. On the product itself it must leave none.
"""

import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from tests.chaos.audit import audit
from tests.chaos.environment import LONG_AGO, Environment, Table
from tests.chaos.processes import Setup
from tests.servers.s3 import ignore_headers

_MERGE_SECONDS = 3.0
"""In which a merge ends that waits for no other."""
_STAMP = "2025-01-01 00:00:00"


def offset_resume(table: Table) -> None:
    """Rows leave the window between kill and resume, so that the others move up."""
    table.seed(200, step=-1)
    table.sync(setup=Setup(at="after:put:run:running#2"))
    table.write(f"UPDATE {table.name} SET version = 2, update_at = NOW(6) WHERE id <= 100")


def reusable_part_names(table: Table) -> None:
    """A process that was paused writes its part when another has finished its run."""
    table.seed(200)
    paused = table.pause("before:put:part#2")
    table.write(f"UPDATE {table.name} SET version = 2, note = 'while it slept', update_at = NOW(6) WHERE id <= 150")
    table.sync()
    table.resume(paused)


def staging_before_the_lock(table: Table) -> None:
    """Two loads of the same files: one waits at the lock while the other commits."""
    table.seed(100)
    table.sync("--backup-only")
    paused = table.pause("before:lock ledger", "--redshift-only")
    table.sync("--redshift-only")
    table.resume(paused)


def token_from_one(table: Table) -> None:
    """The lock document is lost."""
    table.seed(60)
    table.sync()
    table.change_rows()
    table.sync()
    table.lose_lock()
    table.change_rows()


def no_fencing(table: Table) -> None:
    """A load of old files is paused while others bring newer versions whose stamps are equal."""
    table.seed(60)
    table.sync()
    paused = table.pause("before:lock ledger", "--redshift-only", "--reprocess")
    table.write(f"UPDATE {table.name} SET version = 2, note = 'same stamp', update_at = update_at")
    table.edit("set", "--timestamp", LONG_AGO)
    table.sync()
    table.resume(paused)


def ledger_outside_the_transaction(table: Table) -> None:
    """The process dies in the middle of its merge."""
    table.seed(100)
    table.sync("--backup-only")
    table.sync("--redshift-only", setup=Setup(at="before:merge"))


def plain_put(table: Table) -> None:
    """Two operators edit at once; the first to read is the last to write."""
    table.seed(60)
    table.sync()
    _edit_at_once(table)


def _edit_at_once(table: Table) -> None:
    setup = Setup(at="before:put:watermark:set", do="pause")
    slow = table.start_edit("slow", "set", "--timestamp", LONG_AGO, setup=setup)
    if slow.paused():
        table.edit("set", "--timestamp", "2021-01-01", reason="quick")
        slow.signal(signal.SIGCONT)
    table.edits["slow"] = slow.wait()


def probe_that_only_creates(table: Table) -> None:
    """The same on a server that ignores If-Match by the time that it is proven again."""
    table.seed(60)
    table.sync()
    table.forget_proof()
    table.environment.s3.faults.add(ignore_headers("If-Match"), times=None)
    _edit_at_once(table)
    table.environment.s3.faults.clear()


def key_kept_after_set(table: Table) -> None:
    """An operator empties the target and lets the table be read again from a moment that many rows share."""
    table.seed(100, step=0)
    table.sync()
    table.environment.pg.execute(f"DELETE FROM {table.name}")
    table.edit("set", "--timestamp", _STAMP)


def fence_not_raised(table: Table) -> None:
    """A run dies with a part that it has not noted, and the lock document is lost."""
    _die_with_a_part_unnoted(table)
    table.lose_lock()


def old_token_kept(table: Table) -> None:
    """A run dies with a part that it has not noted."""
    _die_with_a_part_unnoted(table)


def _die_with_a_part_unnoted(table: Table) -> None:
    """What the next run writes in its place has other rows."""
    table.seed(200)
    table.sync("--backup-only", setup=Setup(at="after:put:part#2"))
    longer = "much longer than what it was before"
    table.write(
        f"UPDATE {table.name} SET version = 2, note = '{longer}', update_at = NOW(6) WHERE id BETWEEN 25 AND 90"
    )


def resume_without_the_key(table: Table) -> None:
    """A run that reads in the order of the cursor dies among rows of one moment, and later ones follow."""
    table.seed(200)
    table.edit("set", "--timestamp", LONG_AGO)
    table.sync("--limit", "1000", setup=Setup(at="after:put:run:running#2"))  # A limit keeps the cursor's order.


def mark_that_passes_a_pending_run(table: Table) -> None:
    """A run dies before its first part, on a host whose clock shows a day long past; loads go on meanwhile."""
    past = Setup(clock_offset=-20 * 86400.0)
    table.seed(60)
    table.sync(setup=past)
    table.change_rows()
    table.sync(setup=replace(past, at="before:put:part"))
    table.expire_lease()
    table.sync("--redshift-only")


def no_store_id(table: Table) -> None:
    """The store of a table without primary key is moved, and an operator says so."""
    table.seed(60)
    table.sync()
    table.move_store()


def mark_that_outlives_its_warehouse(table: Table) -> None:
    """The warehouse is put back to what it was many days and two loads ago."""
    (schema,) = table.warehouses.values()
    table.seed(60)
    table.sync(setup=Setup(clock_offset=-25 * 86400.0))
    saved = table.save_warehouse(schema)
    for days_ago in (20, 0):
        table.change_rows()
        table.sync(setup=Setup(clock_offset=-days_ago * 86400.0))
    table.put_warehouse_back(schema, saved)


def no_staging_id(table: Table) -> None:
    """Through a pooler two tables of equal columns are loaded at once: both stage before the first of them merges."""
    other = table.environment.create(broken=table.broken)
    tables = (table, other)
    for one, note in zip(tables, ("of this table", "of another table"), strict=True):
        one.is_pooled = True
        one.configure()
        one.seed(60)
        one.write(f"UPDATE {one.name} SET note = '{note}'")
        one.sync("--backup-only")
    paused = [one.pause("after:stage", "--redshift-only") for one in tables]
    for one, process in zip(tables, paused, strict=True):
        one.resume(process)


def first_load_without_proof_of_its_keys(table: Table) -> None:
    """A run that reads in the order of the cursor dies, and rows that it has read move to the end of its window."""
    resume_without_the_key(table)
    table.write(f"UPDATE {table.name} SET version = 2, update_at = '{_STAMP}' + INTERVAL 10 MINUTE WHERE id <= 20")


def shared_ledger_lock_forgotten(table: Table) -> None:
    """Two loads of one file: a process pauses before its commit, and another merges what it cannot see yet."""
    table.seed(60)
    table.sync("--backup-only")
    paused = table.pause("after:merge", "--redshift-only")
    other = table.start("--redshift-only")
    other.ended(_MERGE_SECONDS)
    table.resume(paused)
    other.wait()


def high_without_transactions(table: Table) -> None:
    """A row is stamped, a later one is committed and read, then the first is committed."""
    table.seed(20)
    with closing(table.environment.source.connect()) as late:
        late.autocommit = False
        insert = f"INSERT INTO {table.name} (version, note, update_at) VALUES (1, 'late', NOW(6))"
        late.cursor().execute(insert)
        table.write(insert)
        table.sync()
        late.commit()


SCENARIOS: dict[str, Callable[[Table], None]] = {
    scenario.__name__.replace("_", " "): scenario
    for scenario in (
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
"""By the variant they expose."""

_SETTINGS: dict[str, dict[str, Any]] = {
    "no store id": {"primary_key": []},
    "mark that outlives its warehouse": {"schema": "own"},
    "first load without proof of its keys": {"has_target": False},
}
"""Of the tables of some scenarios."""

POOLED = ("no staging id",)
"""Scenarios that need PgBouncer."""


def run_scenario(environment: Environment, name: str, broken: str | None) -> list[str]:
    """A scenario on a fresh table, with every process of this variant (None: of the product), and what it left."""
    table = environment.create(broken=broken, **_SETTINGS.get(name, {}))
    SCENARIOS[name](table)
    table.expire_lease()
    code = table.sync_and_resolve().wait()
    return ([f"the clean run ended with {code}"] if code else []) + audit(table).differences
