"""Files count once per epoch; what is refused or fails leaves nothing behind."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from tests.warehouses.bench import FEED, TABLE, TARGET, Bench, at, concurrent_loads, rows
from wmtui.errors import Conflict, Interrupted, TableError
from wmtui.warehouses import LoadFile, LoadResult


def test_a_file_is_loaded_once_per_epoch(bench: Bench) -> None:
    file, other = bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(1), "b")))
    bench.load(file, primary_key=())
    result = bench.load(file, other, primary_key=())
    assert result == LoadResult(loaded=(other,), already_loaded=(file,), rows=1)
    assert bench.row_count(TARGET) == 2
    assert [entry.uri for entry in bench.ledger()] == [file.uri, other.uri]


def test_in_the_next_epoch_the_file_is_loaded_again(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a")))
    bench.load(file, primary_key=())
    assert bench.load(file, epoch=2, primary_key=()).loaded == (file,)
    assert bench.row_count(TARGET) == 2


def test_a_file_of_a_later_epoch_is_not_loaded_again_in_an_earlier_one(bench: Bench) -> None:
    first, later = bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(1), "b")))
    bench.load(first, primary_key=())
    bench.load(later, epoch=2, primary_key=())

    assert bench.load(first, later, primary_key=()).loaded == ()
    assert bench.row_count(TARGET) == 2
    assert [entry.uri for entry in bench.ledger()] == [first.uri, later.uri]
    assert [entry.uri for entry in bench.ledger(2)] == [later.uri]


def test_another_etag_under_the_same_key_is_another_file_of_another_tool(bench: Bench) -> None:
    file = replace(bench.file(rows((1, at(1), "a"))), rows=None)
    bench.load(file)
    changed = replace(file, etag="another")
    assert bench.load(changed).loaded == (changed,)
    assert bench.load(changed).loaded == ()
    assert bench.load(file).loaded == (file,)


def test_a_part_of_our_own_is_loaded_whatever_its_etag_is_now(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a")))
    bench.load(file, primary_key=())
    again = replace(file, etag="encrypted again")
    assert bench.load(again, primary_key=()).already_loaded == (again,)
    assert bench.row_count(TARGET) == 1


def test_a_load_that_finds_its_files_loaded_raises_the_fence_all_the_same(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a")))
    bench.load(file, token=5)
    bench.load(file, token=9)
    assert bench.fence() == 9


def test_reprocess_loads_a_file_although_the_ledger_has_it(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a")))
    bench.load(file)
    bench.execute(f"DELETE FROM {TARGET}")
    assert bench.load(file, reprocess=True).loaded == (file,)
    assert bench.target() == [(1, at(1), "a")]


def test_rows_other_than_promised_leave_everything_unchanged(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")))
    good, short = bench.file(rows((1, at(2), "b"))), bench.file(rows((2, at(2), "c")), promised=3)
    with pytest.raises(TableError, match=r"part-.* has 1 rows, 3 were promised"):
        bench.load(good, short)
    assert bench.target() == [(1, at(1), "a")]
    assert len(bench.ledger()) == 1


def test_without_a_promise_the_footer_counts(bench: Bench) -> None:
    file = bench.file(rows((1, at(1), "a")))
    unpromised = LoadFile(file.key, file.uri, file.etag, file.size, None)
    assert bench.load(unpromised).rows == 1


def test_a_failed_first_load_leaves_no_target(bench: Bench) -> None:
    with pytest.raises(TableError):
        bench.load(bench.file(rows((1, at(1), "a")), promised=2))
    assert TARGET not in bench.tables()


def test_a_damaged_file_is_named_and_nothing_is_loaded(bench: Bench) -> None:
    table = rows(*((number, at(1), f"{number}") for number in range(5_000)))
    file = bench.file(table)
    content = bytearray(bench.contents[file.key])
    content[200:2_000] = bytes(1_800)
    bench.contents[file.key] = bytes(content)
    with pytest.raises(TableError, match=file.key):
        bench.load(file)
    assert TARGET not in bench.tables()


def test_a_failed_merge_leaves_neither_rows_nor_ledger(bench: Bench) -> None:
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note text CHECK (note <> 'bad'))")
    bench.load(rows((1, at(1), "a")))
    with pytest.raises(TableError):
        bench.load(rows((1, at(2), "b"), (2, at(2), "bad")))
    assert bench.target() == [(1, at(1), "a")]
    assert len(bench.ledger()) == 1


def test_an_interrupt_between_files_leaves_nothing(bench: Bench) -> None:
    staged: list[tuple[LoadFile, int]] = []

    def stop(file: LoadFile, count: int) -> None:
        staged.append((file, count))
        raise Interrupted

    first, second = bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(1), "b")))
    with pytest.raises(Interrupted):
        bench.warehouse.load(bench.request(first, second), bench.open_part, stop)
    assert staged == [(first, 1)]
    assert TARGET not in bench.tables()


def test_the_fence_refuses_a_lower_token_and_lets_equal_and_higher_pass(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5)
    bench.load(rows((2, at(1), "b")), token=5)
    bench.load(rows((3, at(1), "c")), token=7)
    with pytest.raises(Conflict, match=TABLE):
        bench.load(rows((4, at(1), "d")), token=6)
    assert [row[0] for row in bench.target()] == [1, 2, 3]
    assert len(bench.ledger()) == 3


def test_the_fence_is_of_one_table_and_target(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5)
    bench.load(rows((1, at(1), "a")), token=1, table="shop.items", target="items")
    assert bench.row_count("items") == 1


@pytest.mark.parametrize("primary_key", [("id",), ()])
@pytest.mark.parametrize("target_exists", [False, True])
def test_concurrent_loads_of_the_same_files_count_once(
    bench: Bench, primary_key: tuple[str, ...], target_exists: bool
) -> None:
    if target_exists:
        bench.load(rows((0, at(0), "z")), primary_key=primary_key)
    files = [bench.file(rows((1, at(1), "a"))), bench.file(rows((2, at(1), "b")))]
    results = concurrent_loads(bench, *files, primary_key=primary_key)
    assert sorted(len(result.loaded) for result in results) == [0, 0, 0, 2]
    assert bench.row_count(TARGET) == 2 + target_exists


def test_concurrent_first_loads_of_different_files_all_arrive(bench: Bench) -> None:
    files = [bench.file(rows((number, at(1), f"{number}"))) for number in range(4)]
    barrier = Barrier(4)

    def wait(_file: LoadFile, _rows: int) -> None:
        barrier.wait(30)

    def load(file: LoadFile) -> None:
        bench.connect().load(bench.request(file), bench.open_part, wait)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(load, files))
    assert [row[0] for row in bench.target()] == [0, 1, 2, 3]


def test_an_error_of_the_store_passes_through(bench: Bench) -> None:
    def changed(_file: LoadFile) -> pq.ParquetFile:
        raise TableError("the object changed")

    with pytest.raises(TableError, match="the object changed"):
        bench.warehouse.load(bench.request(bench.file(rows((1, at(1), "a")))), changed, lambda _file, _rows: None)


def test_the_fence_is_the_highest_token_of_a_table_and_target(bench: Bench) -> None:
    assert bench.fence() == 0
    bench.load(rows((1, at(1), "a")), token=5)
    bench.load(rows((2, at(1), "b")), token=7, epoch=2)
    assert bench.fence() == 7
    assert bench.fence(target="items") == bench.fence(table="shop.items") == 0


def test_a_refused_or_failed_load_does_not_raise_the_fence(bench: Bench) -> None:
    bench.load(rows((1, at(1), "a")), token=5)
    with pytest.raises(TableError):
        bench.load(bench.file(rows((2, at(1), "b")), promised=2), token=9)
    with pytest.raises(Conflict):
        bench.load(rows((2, at(1), "b")), token=3)
    assert bench.fence() == 5


def test_a_target_is_empty_until_it_has_a_row(bench: Bench) -> None:
    assert bench.warehouse.loads(FEED).target.empty
    bench.load(rows((1, at(1), "a")))
    assert not bench.warehouse.loads(FEED).target.empty
    bench.execute(f"DELETE FROM {TARGET}")
    assert bench.warehouse.loads(FEED).target.empty
