"""Behind a pooler that gives each transaction another connection, a load arrives whole or not at all."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from tests.servers import Database
from tests.warehouses.bench import TARGET, Bench, at, rows
from tests.warehouses.conftest import NOWHERE, postgres_config
from wmtui.errors import Conflict, TableError
from wmtui.model import Level, utc_now
from wmtui.warehouses import LoadFile, Warehouse, open_warehouse
from wmtui.warehouses.postgres.session import PostgresSession


@pytest.fixture
def pooled(pgbouncer: Database) -> Bench:
    """A warehouse behind PgBouncer, pool_mode=transaction."""
    config = postgres_config(pgbouncer)

    def connect() -> Warehouse:
        return open_warehouse(config, utc_now, NOWHERE)

    return Bench("postgres", connect(), pgbouncer.query, pgbouncer.execute, connect)


def staging(bench: Bench) -> list[str]:
    return [name for name in bench.tables() if name.startswith("wmtui_staging")]


def test_loads_at_once_bring_each_target_its_own_rows(pooled: Bench) -> None:
    barrier = Barrier(2)

    def wait(_file: LoadFile, _rows: int) -> None:
        barrier.wait(30)

    def load(target: str, first: int) -> None:
        made = rows(*((number, at(1), target) for number in range(first, first + 500)))
        for attempt in range(3):
            request = pooled.request(pooled.file(made), target=target, table=f"shop.{target}", token=attempt + 1)
            pooled.connect().load(request, pooled.open_part, wait)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(load, ("orders", "items"), (0, 10_000)))
    for target in ("orders", "items"):
        assert pooled.query(f"SELECT count(*), min(note), max(note) FROM {target}") == [(500, target, target)]
    assert staging(pooled) == []


def test_a_session_knows_whether_it_is_pooled(pooled: Bench, pg_bench: Bench) -> None:
    for bench, expected in ((pooled, True), (pg_bench, False)):
        with bench.warehouse._session() as session:  # type: ignore[attr-defined]
            assert session.pooled is expected


def test_a_pooled_session_has_a_finding_and_another_has_none(pg_bench: Bench) -> None:
    with pg_bench.warehouse._session() as session:  # type: ignore[attr-defined]
        assert session.warnings() == []
        session.pooled = True
        (found,) = session.warnings()
    assert (found.subject, found.level) == ("warehouse pooler", Level.WARNING)


def test_doctor_names_a_pooler(pooled: Bench, pg_bench: Bench) -> None:
    named = [[check.subject for check in bench.warehouse.check()] for bench in (pooled, pg_bench)]
    assert ["warehouse pooler" in subjects for subjects in named] == [True, False]


def test_a_pooler_that_does_not_show_is_noticed_by_its_missing_staging(
    pooled: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pooled.load(rows((0, at(0), "before")))
    plain = PostgresSession.prepare

    def blind(self: PostgresSession) -> None:
        plain(self)
        self.pooled = False

    def lose_session(_file: LoadFile, _rows: int) -> None:
        """Another client's transaction takes the connection that has staged."""

    monkeypatch.setattr(PostgresSession, "prepare", blind)
    monkeypatch.setattr(PostgresSession, "analyze", lambda self, staging: self.execute(f"DROP TABLE {staging.table}"))
    with pytest.raises(Conflict, match="staging of load"):
        pooled.warehouse.load(pooled.request(pooled.file(rows((1, at(1), "a")))), pooled.open_part, lose_session)
    assert pooled.target() == [(0, at(0), "before")]


def test_what_a_killed_load_left_is_removed_by_the_next(pooled: Bench) -> None:
    pooled.load(rows((0, at(0), "z")))
    with pooled.warehouse._session() as session:  # type: ignore[attr-defined]
        from wmtui.warehouses.load.statements import staging_name

        session.create_staging(staging_name(pooled.request().feed, "killed"))
    assert len(staging(pooled)) == 1
    pooled.load(rows((1, at(1), "a")))
    assert staging(pooled) == []


def test_a_load_that_fails_leaves_no_staging(pooled: Bench) -> None:
    with pytest.raises(TableError):
        pooled.load(pooled.file(rows((1, at(1), "a")), promised=2))
    pooled.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, note text CHECK (note <> 'bad'))")
    with pytest.raises(TableError):
        pooled.load(rows((1, at(1), "bad")))
    assert staging(pooled) == []


def test_settings_do_not_leak_to_others_who_share_the_pool(pooled: Bench, pgbouncer: Database) -> None:
    before = pgbouncer.query("SHOW statement_timeout")
    pooled.load(rows((1, at(1), "a")))
    assert pgbouncer.query("SHOW statement_timeout") == before
