"""One store, two time zones: a document says its own, and nothing is read by it as if it were another's.

Guards against rows that are skipped or read twice because a profile's zone was changed, or because two hosts differ.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.pipeline.faults import crash_when_saving
from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import Stack, server_stack
from wmtui.errors import ConfigError, ExitCode, Unreadable
from wmtui.events import Stop, TableResult
from wmtui.layout import watermark_key
from wmtui.runs.run_document import RunStore
from wmtui.service import Request, Service
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import digest_of
from wmtui.words import consequences
from wmtui.words.watermarks import document as lines_of

SHANGHAI, BERLIN, UTC = "Asia/Shanghai", "Europe/Berlin", "UTC"


def host(stack: Stack, zone: str) -> Service:
    """A host whose profile has this zone; the stack goes on as this one."""
    stack.document["profiles"]["test"]["timezone"] = zone
    return stack.reload()


@pytest.fixture(params=["with a key", "without"])
def instants(
    request: pytest.FixtureRequest, tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server
) -> Stack:
    """`orders` with a cursor of instants, with a primary key and without."""
    stack = server_stack(tmp_path, source_db, pg_db, s3)
    columns = "id BIGINT PRIMARY KEY, update_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"
    stack.source(f"CREATE TABLE {stack.schema}.orders ({columns})")
    stack.reload(orders={"primary_key": ["id"] if request.param == "with a key" else []})
    return stack


def seed(stack: Stack, first: int, **ago: float) -> None:
    at = int(stack.ago(**ago).replace(tzinfo=ZoneInfo(UTC)).timestamp())
    rows = ", ".join(f"({i}, FROM_UNIXTIME({at}))" for i in range(first, first + 5))
    stack.source(f"INSERT INTO {stack.schema}.orders VALUES {rows}")


def ids(stack: Stack) -> list[int]:
    return [i for (i,) in stack.warehouse("SELECT id FROM orders ORDER BY id")]


def sync(service: Service, stack: Stack, **options: Any) -> TableResult:
    request = Request(tables=(stack.table(),), **options)
    (result,) = service.syncs.sync(request, emit=lambda _: None, stop=Stop())
    return result


@pytest.mark.parametrize("zones", [(UTC, SHANGHAI), (SHANGHAI, UTC)])
def test_of_two_hosts_in_two_zones_the_second_is_refused_and_no_row_is_lost_or_doubled(
    instants: Stack, zones: tuple[str, str]
) -> None:
    first, second = (host(instants, zone) for zone in zones)
    seed(instants, 1, hours=3)
    assert sync(first, instants).rows_loaded == 5

    for number, hours in ((11, 2), (21, 1)):
        seed(instants, number, hours=hours)
        refused = sync(second, instants)
        assert (refused.exit_code, refused.rows_extracted) == (ExitCode.CONFIG, 0)
        assert f"is in the time zone {zones[0]}, and the profile's is {zones[1]}" in str(refused.error)
        assert sync(first, instants).rows_loaded == 5

    assert ids(instants) == [*range(1, 6), *range(11, 16), *range(21, 26)]


def test_a_zone_that_was_changed_is_followed_by_a_point_said_again(instants: Stack) -> None:
    host(instants, UTC)
    seed(instants, 1, hours=3)
    instants.sync_one()
    shanghai = host(instants, SHANGHAI)
    seed(instants, 11, hours=1)
    (refused,) = instants.sync()
    assert refused.error is not None
    point = str(refused.error).partition("--timestamp '")[2].partition("'")[0]

    shanghai.watermarks.set(instants.table(), point)

    assert (instants.mark()["timezone"], instants.mark()["last_error"]) == (SHANGHAI, None)
    assert instants.sync_one().error is None
    assert ids(instants) == [*range(1, 6), *range(11, 16)]


def test_a_load_alone_is_judged_in_the_documents_zone_and_goes_on(instants: Stack) -> None:
    utc = host(instants, UTC)
    seed(instants, 1, hours=3)
    instants.sync_one(backup_only=True)
    utc.watermarks.set(instants.table(), str(instants.ago(hours=2)), force=True)
    selected = utc.files.select(instants.table()).summary.selected

    shanghai = host(instants, SHANGHAI)

    assert shanghai.files.select(instants.table()).summary.selected == selected == 1
    assert instants.sync_one(redshift_only=True).rows_loaded == 5
    assert instants.mark()["timezone"] == UTC
    assert instants.mark()["redshift_status"] == "success"


def test_what_is_shown_is_the_point_in_the_profiles_zone_and_says_where_it_was_written(embedded: Stack) -> None:
    utc, table = host(embedded, UTC), embedded.table()
    utc.watermarks.set(table, "2025-08-14 15:30:45", force=True)
    before = utc.watermarks.get(table)

    berlin = host(embedded, BERLIN)

    shown = "\n".join(lines_of(before, berlin.workspace.clock(), berlin.workspace.zone))
    assert "2025-08-14 17:30:45 Europe/Berlin (2025-08-14T15:30:45Z), written in UTC" in shown
    assert "manual, written in UTC" in shown
    lags = [service.overview.looks([table])[0].status.lag or timedelta() for service in (utc, berlin)]
    assert timedelta() < lags[0] <= lags[1] < lags[0] + timedelta(minutes=1)
    (status,) = berlin.health.status([table], None)
    assert (status.healthy, status.problem) == (False, "other time zone")
    assert "nothing is extracted: it is written in UTC" in "\n".join(
        consequences.lines(berlin.preview_edit(berlin.documents(table)).current(), berlin.workspace.zone)
    )
    assert berlin.watermarks.get(table).fields["last_mysql_data_timestamp"] == "2025-08-14 15:30:45"


def test_what_comes_of_an_undo_must_be_in_the_profiles_zone(embedded: Stack) -> None:
    utc, table = host(embedded, UTC), embedded.table()
    utc.watermarks.set(table, "2025-08-14 15:30:45")
    utc.watermarks.set(table, "2025-08-15 15:30:45")
    berlin = host(embedded, BERLIN)

    with pytest.raises(ConfigError, match="is in the time zone UTC"):
        berlin.history.undo(table)
    berlin.watermarks.set(table, "2025-08-16 15:30:45")
    with pytest.raises(ConfigError, match="is in the time zone UTC"):
        berlin.history.undo(table)
    assert utc.history.undo(table).mark.timezone == UTC


def test_a_document_of_another_zone_is_not_imported(embedded: Stack) -> None:
    utc, table = host(embedded, UTC), embedded.table()
    utc.watermarks.set(table, "2025-08-14 15:30:45")
    copy = dict(utc.watermarks.get(table).fields)
    assert utc.watermarks.import_document(table, copy).mark.timezone == UTC
    berlin = host(embedded, BERLIN)
    copy = dict(berlin.watermarks.get(table).fields)

    for document in (copy, {"table_name": str(table), "timezone": BERLIN}, {"table_name": str(table), "custom": 1}):
        with pytest.raises(ConfigError, match="is in the time zone UTC"):
            berlin.watermarks.import_document(table, document)
    new = {"table_name": str(table), "timezone": BERLIN, "last_mysql_data_timestamp": "2025-08-14 17:30:45"}
    changed = berlin.watermarks.import_document(table, new)

    assert (changed.mark.timezone, changed.mark.data_timestamp) == (BERLIN, datetime(2025, 8, 14, 17, 30, 45))


@pytest.mark.parametrize("operation", ["preview", "verify"])
def test_what_would_read_by_the_watermark_is_refused_like_the_sync(instants: Stack, operation: str) -> None:
    host(instants, UTC)
    seed(instants, 1, hours=3)
    instants.sync_one()
    other = host(instants, SHANGHAI)

    if operation == "preview":
        error = instants.preview()[0].error
    else:
        ((_, error),) = other.verify([instants.table()], since=None, examples=1, emit=lambda _: None, stop=Stop())

    assert isinstance(error, ConfigError)
    assert "Asia/Shanghai" in str(error)


@pytest.mark.usefixtures("small_parts")
def test_a_first_run_that_died_in_another_zone_is_not_gone_on_with(
    instants: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    utc = host(instants, UTC)
    for first in (1, 6, 11, 16):
        seed(instants, first, hours=3)
    with monkeypatch.context() as patch:
        crash_when_saving(patch, 2)
        sync(utc, instants)
    pending = instants.mark()["pending_extraction"]
    stored = RunStore(utc.workspace.objects, instants.table()).read(pending)
    assert stored is not None
    assert stored.run.timezone == UTC
    shanghai = host(instants, SHANGHAI)

    assert sync(shanghai, instants).exit_code is ExitCode.CONFIG
    assert instants.mark()["pending_extraction"] == pending
    shanghai.watermarks.reset(instants.table(), force=True)

    assert sync(shanghai, instants).rows_loaded == 20
    assert instants.mark()["timezone"] == SHANGHAI


def test_a_reset_leaves_no_zone_and_the_next_run_notes_its_own(instants: Stack) -> None:
    host(instants, UTC)
    seed(instants, 1, hours=3)
    instants.sync_one()
    shanghai = host(instants, SHANGHAI)
    shanghai.watermarks.reset(instants.table(), force=True)
    instants.warehouse("DELETE FROM orders")

    assert instants.sync_one().rows_loaded == 5
    assert instants.mark()["timezone"] == SHANGHAI
    assert ids(instants) == [1, 2, 3, 4, 5]


def test_a_document_that_says_no_zone_is_in_the_profiles_and_the_next_change_notes_it(instants: Stack) -> None:
    service = host(instants, SHANGHAI)
    seed(instants, 1, hours=3)
    instants.sync_one()
    objects, key = service.workspace.objects, watermark_key(instants.table())
    document = json.loads(objects.get(key).data)
    del document["timezone"]
    content = {name: value for name, value in document.items() if name != "metadata"}
    change = document["metadata"]["change"]
    change["digest"] = digest_of(content)
    objects.put(key, json.dumps(document).encode())
    objects.put(Journal(service.workspace.objects, instants.table()).key(change["serial"]), json.dumps(change).encode())
    entries = len(service.history.entries(instants.table()))

    seed(instants, 11, hours=1)
    assert instants.sync_one().rows_loaded == 5

    assert instants.mark()["timezone"] == SHANGHAI
    assert "external" not in [getattr(e, "action", "") for e in service.history.entries(instants.table())[entries:]]


@pytest.mark.parametrize("zone", ["Mars/Olympus", 8, ""])
def test_a_zone_that_does_not_exist_is_unreadable(embedded: Stack, zone: object) -> None:
    embedded.service.watermarks.set(embedded.table(), "2020-01-01")
    objects, key = embedded.service.workspace.objects, watermark_key(embedded.table())
    document = json.loads(objects.get(key).data)
    objects.put(key, json.dumps({**document, "timezone": zone}).encode())

    with pytest.raises(Unreadable, match="not a time zone"):
        embedded.service.watermarks.get(embedded.table())


@pytest.mark.parametrize(
    ("wall", "shown"),
    [
        ("2025-10-26 02:30:00", "2025-10-26 00:30:00"),
        ("2025-10-26 03:30:00", "2025-10-26 02:30:00"),
        ("2025-03-30 03:30:00", "2025-03-30 01:30:00"),
        ("2025-07-01 12:00:00", "2025-07-01 10:00:00"),
        ("2025-12-01 12:00:00", "2025-12-01 11:00:00"),
    ],
)
def test_where_the_clocks_change_the_point_is_the_same_instant_in_both_zones(
    embedded: Stack, wall: str, shown: str
) -> None:
    berlin, table = host(embedded, BERLIN), embedded.table()
    berlin.watermarks.set(table, wall)
    basis = berlin.files.select(table).basis

    utc = host(embedded, UTC)

    lines = lines_of(utc.watermarks.get(table), utc.workspace.clock(), utc.workspace.zone)
    assert f"{shown} UTC, written in Europe/Berlin" in "\n".join(lines)
    assert utc.files.select(table).basis == basis
    (refused,) = embedded.sync()
    assert f"{wall} is wall clock there, {shown} here" in str(refused.error)
