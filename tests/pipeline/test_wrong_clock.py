"""A host whose clock is wrong leaves nothing that is: documents and names have the store's time.

Guards against run ids, successes and positions of the year 2099 that stay for ever.
"""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.servers.s3 import S3Server
from tests.stack import AUTHOR, Stack, ago, embedded_stack
from wmtui import config
from wmtui.model import utc_now
from wmtui.objects.clock import StoreClock
from wmtui.runs.run_document import RunStore, run_started
from wmtui.service import Service
from wmtui.watermarks.timestamps import parse_instant, parse_wall

NEAR = timedelta(minutes=2)


@pytest.fixture(params=[timedelta(days=26_700), -timedelta(days=9)], ids=["2099", "last week"])
def wrong(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> Stack:
    """A pipeline over S3 on a host with a wrong clock."""
    stack = embedded_stack(tmp_path, store=f"s3://{s3.new_bucket()}/lake", s3={"endpoint_url": s3.endpoint_url})
    clock = StoreClock(lambda: utc_now() + request.param)
    stack.service = Service(config.load(stack.path), clock=clock, author=AUTHOR)
    stack.create()
    stack.insert((1, "9.50", "one", ago(minutes=30)), (2, "9.50", "two", ago(minutes=20)))
    return stack


def is_now(at: datetime) -> bool:
    return abs(at - utc_now()) < NEAR


def test_a_run_leaves_the_time_of_the_store_and_tells_that_the_clock_is_wrong(wrong: Stack) -> None:
    wrong.sync_one()

    mark, table = wrong.mark(), wrong.table()
    heartbeat = wrong.service.workspace.heartbeat(table)
    (run,) = RunStore(wrong.service.workspace.objects, table).since("")
    assert heartbeat.last_success is not None
    times = [mark["last_mysql_extraction_time"], mark["last_redshift_load_time"], mark["metadata"]["updated_at"]]
    assert all(map(is_now, [run_started(run), heartbeat.last_success, *map(parse_instant, times)]))
    assert f"year={utc_now().year}/" in wrong.keys()[0]
    assert wrong.log().count("the clock of this host is wrong") == 1
    assert wrong.warehouse_rows() == wrong.source_rows()


def test_a_point_relative_to_now_is_relative_to_the_stores(wrong: Stack) -> None:
    wrong.service.watermarks.set(wrong.table(), "1h ago")

    point = parse_wall(wrong.mark()["last_mysql_data_timestamp"])
    assert abs(point - ago(hours=1)) < NEAR


def test_a_clock_that_is_right_is_not_complained_of() -> None:
    clock = StoreClock()
    clock.heard(f"{utc_now() + timedelta(seconds=3):%a, %d %b %Y %H:%M:%S} GMT")

    assert clock.complaint() is None
    assert abs(clock() - utc_now()) < timedelta(seconds=1)


@pytest.mark.parametrize("date", [None, "", "soon", "Mon, 99 Foo 2025 12:00:00 GMT"])
def test_an_answer_without_a_time_says_nothing(date: str | None) -> None:
    clock = StoreClock()
    clock.heard(date)

    assert clock.off is None
    assert abs(clock() - utc_now()) < timedelta(seconds=1)
