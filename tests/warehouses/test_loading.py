"""The second transaction of a load, on a database in memory: what is proven, what changes, and what is refused.

Guards against rows that are counted and not there, rows of another load, and columns that a row's own file never had.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.clock import HandClock
from tests.warehouses.bench import SCHEMA, STORE, TABLE, TARGET, Bench, at, rows
from wmtui.errors import Conflict, TableError
from wmtui.warehouses import LoadFile, LoadRequest, LoadResult, Naming, TargetLayout
from wmtui.warehouses.duckdb.session import DuckDBSession
from wmtui.warehouses.ledger.ledger import create_ledger, read_loads
from wmtui.warehouses.ledger_state import Feed, Fence
from wmtui.warehouses.load import merge
from wmtui.warehouses.load.staging import Staged, stage
from wmtui.warehouses.load.statements import Update

NARROW = pa.schema([("id", pa.int64()), ("update_at", pa.timestamp("us"))])
WIDE = pa.schema([*SCHEMA, ("color", pa.string())])
FEED = Feed(STORE, TABLE, TARGET)


@dataclass
class Memory:
    """A database in memory, and loads into it step by step."""

    session: DuckDBSession
    bench: Bench
    statements: list[str] = field(default_factory=list)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.session._connection.execute(statement).fetchall()

    def target(self) -> list[tuple[Any, ...]]:
        return sorted(self.query(f"SELECT * FROM {TARGET}"), key=repr)

    def staged(self, *files: LoadFile | pa.Table, **changes: Any) -> tuple[LoadRequest, Staged]:
        written = [file if isinstance(file, LoadFile) else self.bench.file(file) for file in files]
        request = self.bench.request(*written, **changes)
        return request, stage(self.session, request, self.bench.open_part, lambda *_: None)

    def load(self, *files: LoadFile | pa.Table, **changes: Any) -> LoadResult:
        request, staged = self.staged(*files, **changes)
        with self.session.transaction():
            return merge.merge(self.session, request, staged, merge.unstage_loaded)

    def fence(self) -> Fence:
        (fence,) = read_loads(self.session, FEED).fences
        return fence


@pytest.fixture
def memory() -> Iterator[Memory]:
    connection = duckdb.connect(":memory:")
    session = DuckDBSession(connection, HandClock())
    with session.transaction():
        create_ledger(session, first=False)
    bench = Bench("duckdb", None, lambda _: [], lambda _: None, lambda: None)  # type: ignore[arg-type]
    yield Memory(session, bench)
    connection.close()


def foreign(file: LoadFile) -> LoadFile:
    return replace(file, rows=None)


# What a load leaves and says.


def test_a_load_says_what_it_brought_and_leaves_ledger_and_fence(memory: Memory) -> None:
    first = memory.bench.file(rows((1, at(1), "a"), (2, at(2), None)))
    result = memory.load(first, token=4, run="run-4")

    assert result == LoadResult((first,), (), 2, ())
    assert memory.target() == [(1, at(1), "a"), (2, at(2), None)]
    known = read_loads(memory.session, FEED)
    (entry,) = known.entries
    assert (entry.key, entry.etag, entry.rows, entry.epoch) == (first.key, first.etag, 2, 1)
    fence = memory.fence()
    assert (fence.store, fence.table, fence.token, fence.run) == (STORE, TABLE, 4, "run-4")
    assert (fence.target_id, fence.target_rows) == (known.target.id, None)
    assert fence.columns == ("id", "update_at", "note")
    assert memory.query("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'wmtui_staging%'") == [(0,)]


def test_rows_are_counted_on_from_what_the_target_had_when_the_load_was_decided_on(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a"), (2, at(1), "b")), target_rows=0)
    assert memory.fence().target_rows == 2
    memory.load(rows((2, at(2), "new"), (3, at(2), "c")), target_rows=2)
    assert memory.fence().target_rows == 3
    memory.load(rows((4, at(2), "d")))
    assert memory.fence().target_rows is None


def test_the_fence_remembers_every_column_that_loads_ever_carried(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a", "red"), schema=WIDE))
    memory.load(rows((2, at(1)), schema=NARROW))
    assert memory.fence().columns == ("id", "update_at", "note", "color")


def test_files_in_the_ledger_are_taken_out_of_staging_again(memory: Memory) -> None:
    first = memory.bench.file(rows((1, at(1), "a")))
    memory.load(first, primary_key=())
    second = memory.bench.file(rows((2, at(1), "b"), (3, at(1), "c")))
    result = memory.load(first, second, primary_key=(), token=2)

    assert result == LoadResult((second,), (first,), 2, ())
    assert memory.target() == [(1, at(1), "a"), (2, at(1), "b"), (3, at(1), "c")]


def test_a_load_of_files_that_are_all_in_the_ledger_changes_nothing_and_raises_the_fence(memory: Memory) -> None:
    first = memory.bench.file(rows((1, at(1), "a")))
    memory.load(first, target_rows=0)
    before = memory.fence()
    result = memory.load(first, token=2, run="run-2")

    assert result == LoadResult((), (first,), 0, ())
    assert memory.fence() == replace(before, token=2, run="run-2")
    assert len(read_loads(memory.session, FEED).entries) == 1


def test_a_load_of_an_older_token_is_refused_and_leaves_everything_as_it_was(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a")), token=5)
    with pytest.raises(Conflict, match="a newer run has taken over"):
        memory.load(rows((1, at(2), "zombie")), token=4)
    assert memory.target() == [(1, at(1), "a")]
    assert memory.fence().token == 5


def test_a_load_after_one_that_the_ledger_lost_is_refused(memory: Memory) -> None:
    first = memory.bench.file(rows((1, at(1), "a")))
    memory.load(first, load_id="load-a")
    memory.load(rows((2, at(1), "b")), after="load-a", token=2)
    with pytest.raises(Conflict, match="does not know load lost"):
        memory.load(rows((3, at(1), "c")), after="lost", token=3)
    assert len(memory.target()) == 2


def test_what_nobodys_store_loaded_is_claimed_only_if_the_load_says_so(memory: Memory) -> None:
    first = memory.bench.file(rows((1, at(1), "a")))
    memory.load(first, store="")
    request, _ = memory.staged(first, token=2)
    merge.begin(memory.session, request)
    assert [entry.store for entry in read_loads(memory.session, FEED).entries] == [""]
    known = merge.begin(memory.session, replace(request, claim=True))
    assert [entry.store for entry in read_loads(memory.session, FEED).entries] == [STORE]
    assert known is not None
    assert (known.store, known.token) == (STORE, 1)


# Staging is proven.


def test_staging_that_lost_rows_or_is_gone_is_refused_with_both_counts(memory: Memory) -> None:
    request, staged = memory.staged(rows((1, at(1), "a"), (2, at(1), "b")), rows((3, at(1), "c")))
    merge.verify_staging(memory.session, request, staged)
    memory.session.execute(f"DELETE FROM {staged.staging.table} WHERE file = 1")
    with pytest.raises(Conflict, match=f"staging of load {request.load_id} does not hold") as refused:
        merge.verify_staging(memory.session, request, staged)
    assert refused.value.why == "it has 2 rows of 3"
    memory.session.execute(f"DROP TABLE {staged.staging.table}")
    with pytest.raises(Conflict) as refused:
        merge.verify_staging(memory.session, request, staged)
    assert refused.value.why == "it has 0 rows of 3"


def test_files_that_were_copied_at_once_are_proven_together_and_empty_ones_need_no_row(memory: Memory) -> None:
    request, staged = memory.staged(rows((1, at(1), "a")), rows((2, at(1), "b")), rows(schema=SCHEMA))
    memory.session.execute(f"UPDATE {staged.staging.table} SET file = 0")
    with pytest.raises(Conflict):
        merge.verify_staging(memory.session, request, staged)
    merge.verify_staging(memory.session, request, replace(staged, file_numbers=(0, 0, 0)))
    merge.verify_staging(memory.session, request, replace(staged, file_numbers=(0, 0, 2)))


def test_nothing_is_merged_from_a_staging_that_is_not_whole(memory: Memory) -> None:
    request, staged = memory.staged(rows((1, at(1), "a")))
    memory.session.execute(f"DELETE FROM {staged.staging.table}")
    with pytest.raises(Conflict):
        merge.merge(memory.session, request, staged, merge.unstage_loaded)
    assert memory.session.state(TARGET).rows is None


# Which row stays.


def test_the_newest_row_of_a_key_stays_whether_it_is_staged_or_in_the_target(memory: Memory) -> None:
    memory.load(rows((1, at(5), "kept"), (2, at(1), "old"), (3, at(3), "tie"), (4, None, "none"), (5, at(1), "some")))
    result = memory.load(
        rows((1, at(4), "older"), (2, at(2), "new"), (3, at(3), "staged"), (4, None, "staged"), (5, None, "none")),
        token=2,
        target_rows=5,
    )
    assert memory.target() == [
        (1, at(5), "kept"),
        (2, at(2), "new"),
        (3, at(3), "staged"),
        (4, None, "staged"),
        (5, at(1), "some"),
    ]
    assert result.rows == 5
    assert memory.fence().target_rows == 5


def test_rows_read_before_the_last_load_lose_ties_and_those_of_a_new_epoch_replace_all(memory: Memory) -> None:
    memory.load(rows((1, at(3), "kept"), (2, at(9), "dead"), (3, None, "kept"), (4, at(9), "kept")))
    late = replace(memory.bench.file(rows((1, at(3), "late"), (3, None, "late"))), loses_ties=True)
    reborn = replace(memory.bench.file(rows((2, at(1), "alive"))), replaces=True)
    memory.load(late, reborn, rows((4, at(1), "old")), token=2)
    assert memory.target() == [(1, at(3), "kept"), (2, at(1), "alive"), (3, None, "kept"), (4, at(9), "kept")]


def test_without_a_key_every_row_is_appended_and_counted(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a"), (1, at(1), "a")), primary_key=(), target_rows=0)
    memory.load(rows((1, at(1), "a")), primary_key=(), token=2, target_rows=2)
    assert memory.target() == [(1, at(1), "a")] * 3
    assert memory.fence().target_rows == 3


def test_into_an_empty_target_the_newest_row_of_each_key_is_inserted(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a")))
    memory.query(f"DELETE FROM {TARGET}")
    memory.load(rows((1, at(1), "b"), (1, at(2), "c"), (2, at(1), "d")), token=2, target_rows=0)
    assert memory.target() == [(1, at(2), "c"), (2, at(1), "d")]
    assert memory.fence().target_rows == 2


@dataclass
class Heard:
    """A session, and the statements that were asked of it."""

    session: Any
    said: list[str] = field(default_factory=list)

    def change(self, statement: str, *values: object) -> int:
        self.said.append(statement)
        return int(self.session.change(statement, *values))

    def execute(self, statement: str, *values: object) -> Any:
        self.said.append(statement)
        return self.session.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.session, name)


@pytest.mark.parametrize("there", [False, True])
def test_nothing_is_compared_with_a_target_that_is_new_or_empty(memory: Memory, there: bool) -> None:
    if there:
        memory.load(rows((1, at(1), "a")))
        memory.query(f"DELETE FROM {TARGET}")
    request, staged = memory.staged(rows((1, at(1), "b")), token=2)
    heard: Any = Heard(memory.session)
    assert merge.merge_staging(heard, request, staged, ()) == ((), 1)
    assert not [text for text in heard.said if "JOIN" in text or text.startswith("UPDATE") or "USING" in text]
    heard.said.clear()
    request, staged = memory.staged(rows((1, at(2), "c"), (2, at(2), "d")), token=3)
    merge.merge_staging(heard, request, staged, ())
    assert [text for text in heard.said if "JOIN" in text]


def test_rows_are_looked_for_in_the_target_only_where_its_counts_do_not_add_up(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a"), (2, at(1), "b"), (3, at(1), "c")))
    theirs = foreign(memory.bench.file(rows((1, at(2)), schema=NARROW)))
    request, staged = memory.staged(theirs, rows((2, at(2), "new"), (3, at(2), "new"), (4, at(2), "d")), token=2)
    heard: Any = Heard(memory.session)
    assert merge.merge_rows(heard, request, staged, (), empty=False) == 1
    assert len([text for text in heard.said if text.startswith("UPDATE")]) == 2
    assert not [text for text in heard.said if text.startswith("SELECT count(*)")]


def test_the_target_is_made_as_the_layout_says_and_not_counted_after_the_load(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = [], []
    create, state = memory.session.statements.create_target, memory.session.state

    def creating(*args: Any) -> str:
        made.append(args[3])
        return create(*args)

    def looking(target: str, **how: Any) -> Any:
        asked.append(how)
        return state(target, **how)

    monkeypatch.setattr(memory.session.statements, "create_target", creating)
    monkeypatch.setattr(memory.session, "state", looking)
    memory.load(rows((1, at(1), "a")), layout=TargetLayout("key", "id", ("note",)))
    assert made == [TargetLayout("key", "id", ("note",))]
    assert asked == [{"count": False}]


# Which columns change.


def test_a_row_changes_what_its_own_file_carries(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a", "red"), (2, at(1), "b", "red"), (3, at(1), "c", "red"), schema=WIDE))
    theirs = foreign(memory.bench.file(rows((1, at(2)), schema=NARROW)))
    memory.load(theirs, rows((2, at(2)), schema=NARROW), rows((3, at(2), "new"), schema=SCHEMA), token=2)
    assert memory.target() == [(1, at(2), "a", "red"), (2, at(2), None, None), (3, at(2), "new", None)]


def test_a_column_that_a_later_file_of_the_load_brings_is_not_emptied_by_the_files_before_it(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a")))
    memory.query(f"ALTER TABLE {TARGET} ADD COLUMN color VARCHAR")
    memory.query(f"UPDATE {TARGET} SET color = 'red'")
    memory.load(rows((1, at(2)), schema=NARROW), rows((9, at(2), "x", "blue"), schema=WIDE), token=2)
    assert memory.target() == [(1, at(2), None, "red"), (9, at(2), "x", "blue")]


def test_updates_put_files_together_that_change_the_same_columns_and_never_set_a_key(memory: Memory) -> None:
    theirs = foreign(memory.bench.file(rows((1, at(1)), schema=NARROW)))
    request, staged = memory.staged(
        rows((1, at(1), "a")), theirs, rows((2, at(1), "b")), rows((3, at(1)), schema=NARROW)
    )
    assert merge._updates(request, staged, ("id", "color")) == [
        Update(("update_at", "note"), ("color",), (0, 2)),
        Update(("update_at",), (), (1,)),
        Update(("update_at",), ("color", "note"), (3,)),
    ]


def test_files_that_may_lose_are_put_together_by_whether_they_lose_ties(memory: Memory) -> None:
    made = [memory.bench.file(rows((number, at(1), "a"))) for number in range(5)]
    request, staged = memory.staged(
        made[0],
        replace(made[1], loses_ties=True),
        replace(made[2], replaces=True),
        made[3],
        replace(made[4], loses_ties=True),
    )
    assert merge._not_replacing(request, staged) == [((0, 3), False), ((1, 4), True)]
    assert merge._not_replacing(request, replace(staged, file_numbers=(0, 1, 2, 0, 1))) == [((0,), False), ((1,), True)]


# The target's shape.


def test_columns_that_the_target_lacks_are_added_and_told(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a")))
    result = memory.load(rows((2, at(1), "b", "red"), schema=WIDE), token=2)
    assert result.added == ("color",)
    assert memory.target() == [(1, at(1), "a", None), (2, at(1), "b", "red")]


def test_columns_are_added_ahead_of_the_merge_where_there_is_a_target_that_lacks_them(memory: Memory) -> None:
    request, staged = memory.staged(rows((1, at(1), "a")))
    assert merge.add_columns(memory.session, request, staged) == ()
    assert memory.session.state(TARGET).rows is None
    memory.load(rows((1, at(1), "a")))
    request, staged = memory.staged(rows((2, at(1), "b")), token=2)
    assert merge.add_columns(memory.session, request, staged) == ()
    request, staged = memory.staged(rows((2, at(1), "b", "red"), schema=WIDE), token=2)
    assert merge.add_columns(memory.session, request, staged) == ("color",)
    assert merge.add_columns(memory.session, request, staged) == ()
    result = merge.merge(memory.session, request, staged, merge.unstage_loaded)
    assert result.added == ()
    assert merge.with_added(result, ("color",)) == replace(result, added=("color",))
    assert merge.with_added(replace(result, added=("b",)), ("a",)).added == ("a", "b")


def test_a_column_that_another_load_adds_at_the_same_moment_is_no_error_and_not_told(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.load(rows((1, at(1), "a")))
    request, staged = memory.staged(rows((2, at(1), "b", "red"), schema=WIDE), token=2)
    seen = memory.session.columns(TARGET)
    memory.query(f"ALTER TABLE {TARGET} ADD COLUMN color VARCHAR")
    monkeypatch.setattr(memory.session, "columns", lambda _: seen)
    assert merge.add_columns(memory.session, request, staged) == ()
    monkeypatch.undo()
    asked: list[str] = []
    monkeypatch.setattr(memory.session, "execute", lambda statement, *_: asked.append(statement) or [])
    monkeypatch.setattr(memory.session, "columns", lambda _: {**seen, "color": "VARCHAR"})
    assert merge.add_columns(memory.session, request, staged) == ()
    monkeypatch.setattr(memory.session, "columns", lambda _: {})
    assert merge.add_columns(memory.session, request, staged) == ()
    monkeypatch.setattr(memory.session, "columns", lambda _: seen)
    assert merge.add_columns(memory.session, request, replace(staged, target={})) == ()
    assert asked == []


@pytest.mark.parametrize(
    "change",
    [
        f"ALTER TABLE {TARGET} DROP COLUMN note",
        f"ALTER TABLE {TARGET} ALTER COLUMN note TYPE INTEGER USING 1",
    ],
)
def test_a_target_that_changed_while_files_were_staged_is_refused(memory: Memory, change: str) -> None:
    memory.load(rows((1, at(1), "a")))
    request, staged = memory.staged(rows((1, at(2), "b")), token=2)
    memory.query(change)
    with pytest.raises(Conflict, match="changed while files were staged"):
        merge.merge_staging(memory.session, request, staged, ())


def test_a_target_that_came_into_being_while_files_were_staged_takes_what_fits(memory: Memory) -> None:
    request, staged = memory.staged(rows((1, at(1), "a")))
    memory.query(f"CREATE TABLE {TARGET} (id BIGINT, update_at TIMESTAMP, note VARCHAR, judged VARCHAR)")
    assert merge.merge_staging(memory.session, request, staged, ()) == ((), 1)
    assert memory.target() == [(1, at(1), "a", None)]

    request, staged = memory.staged(rows((1, at(1), "a")), target="other")
    memory.query("CREATE TABLE other (id BIGINT, update_at TIMESTAMP)")
    with pytest.raises(Conflict):
        merge.merge_staging(memory.session, request, staged, ())


def test_a_column_that_earlier_loads_carried_and_somebody_dropped_since_is_not_asked_for(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a", "red"), schema=WIDE))
    memory.query(f"ALTER TABLE {TARGET} DROP COLUMN color")
    request, staged = memory.staged(rows((1, at(2), "b")), token=2)
    assert merge.merge_staging(memory.session, request, staged, ("id", "color", "note")) == ((), 0)
    assert memory.target() == [(1, at(2), "b")]


def test_rows_in_a_target_are_counted_and_no_target_has_no_count(memory: Memory) -> None:
    assert memory.session.state(TARGET).rows is None
    memory.load(rows((1, at(1), "a"), (2, at(1), "b")))
    assert memory.session.state(TARGET).rows == 2


def test_a_layout_names_the_targets_columns_and_one_that_it_does_not_have_is_refused(memory: Memory) -> None:
    layout = TargetLayout("key", "id", ("note", "update_at"))
    request, staged = memory.staged(rows((1, at(1), "a")), naming=Naming({"note": "remark"}), layout=layout)
    assert merge.target_layout(request, staged) == TargetLayout("key", "id", ("remark", "update_at"))
    assert merge.target_layout(replace(request, layout=TargetLayout()), staged) == TargetLayout()
    for setting, wrong in [
        ("distkey", TargetLayout(distkey="gone")),
        ("sortkey", TargetLayout(sortkey=("id", "gone"))),
    ]:
        with pytest.raises(TableError, match=r"shop.orders has no column gone") as refused:
            merge.target_layout(replace(request, layout=wrong), staged)
        assert refused.value.why == f"tables.yaml names it as {setting}; there are id, update_at, remark"


# A target that keeps rows out.


class Deaf:
    """A session whose target takes fewer rows of one kind of statement than it was given."""

    def __init__(self, session: DuckDBSession, kind: str, keeps: bool) -> None:
        self._session, self._kind, self._keeps = session, kind, keeps

    def change(self, statement: str, *values: object) -> int:
        if not statement.startswith(self._kind):
            return self._session.change(statement, *values)
        if self._keeps:
            self._session.change(statement, *values)
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@pytest.mark.parametrize(("primary_key", "full"), [((), True), (("id",), False), (("id",), True)])
def test_a_target_that_takes_no_row_is_noticed(memory: Memory, primary_key: tuple[str, ...], full: bool) -> None:
    memory.load(rows((7, at(1), "there")), primary_key=primary_key)
    if not full:
        memory.query(f"DELETE FROM {TARGET}")
    request, staged = memory.staged(rows((1, at(1), "a"), (2, at(1), "b")), primary_key=primary_key, token=2)
    deaf: Any = Deaf(memory.session, "INSERT", keeps=False)
    with pytest.raises(TableError) as refused:
        merge.merge_rows(deaf, request, staged, (), empty=not full)
    assert refused.value.what == ("orders did not take every row: 2 were staged, 0 inserted and 0 updated")


def test_a_target_that_takes_updates_and_counts_them_as_none_is_right_when_every_row_is_there(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a"), (2, at(1), "b")))
    request, staged = memory.staged(rows((1, at(2), "new"), (3, at(2), "c")), token=2)
    silent: Any = Deaf(memory.session, "UPDATE", keeps=True)
    assert merge.merge_rows(silent, request, staged, (), empty=False) == 1
    assert memory.target() == [(1, at(2), "new"), (2, at(1), "b"), (3, at(2), "c")]


def test_an_update_that_the_target_ignored_is_noticed_with_its_counts(memory: Memory) -> None:
    memory.load(rows((1, at(1), "a"), (2, at(1), "b")))
    request, staged = memory.staged(rows((1, at(2), "new"), (3, at(2), "c"), (2, at(0), "older")), token=2)
    deaf: Any = Deaf(memory.session, "UPDATE", keeps=False)
    with pytest.raises(TableError, match="2 were staged, 1 inserted and 0 updated"):
        merge.merge_rows(deaf, request, staged, (), empty=False)


def test_counts_of_thousands_are_told_readably() -> None:
    with pytest.raises(TableError, match="1,000 were staged, 2,000 inserted and 3,000 updated"):
        merge._require_all("orders", 1000, 2000, 3000)
    merge._require_all("orders", 5, 2, 3)
