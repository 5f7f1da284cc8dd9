"""An idle table whose watermark document was put back with its time, or whose warehouse is another schema by now."""

from pathlib import Path

from tests.pipeline.test_unchanged import UNASKED
from tests.servers import Database
from tests.servers.s3 import S3Server
from tests.stack import server_stack
from wmtui.watermarks.journal import Journal


def test_another_schema_in_the_settings_is_asked_at_once_and_gets_every_row(
    tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server
) -> None:
    stack = server_stack(tmp_path, source_db, pg_db, s3)
    stack.create()
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    for _ in range(3):
        stack.sync_one()
    assert UNASKED in stack.log()
    pg_db.execute("CREATE SCHEMA other")
    stack.document["profiles"]["test"]["warehouse"] = {**pg_db.config, "schema": "other"}
    stack.reload()
    assert stack.sync_one().rows_loaded == 1
    assert pg_db.query("SELECT id FROM other.orders") == [(1,)]


def test_a_document_whose_newer_version_was_deleted_in_the_bucket_is_adopted(
    tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server
) -> None:
    stack = server_stack(tmp_path, source_db, pg_db, s3)
    stack.turn_back(hours=1)
    stack.create()
    stack.insert((1, 1, "a", stack.ago(hours=2)))
    for _ in range(2):
        stack.sync_one()
        stack.let_pass(minutes=1)
    objects, key = stack.service.workspace.objects, f"watermark/tables/{stack.table()}.json"
    before = objects.get(key)
    bucket = stack.document["profiles"]["test"]["store"].removeprefix("s3://").partition("/")[0]
    stack.sync_one()
    assert UNASKED in stack.log()
    stack.service.watermarks.reset(stack.table())
    objects.put(key, before.data)
    s3.set_last_modified(bucket, f"lake/{key}", before.info.last_modified)
    stack.reload()
    assert objects.head(key).etag == before.info.etag
    stack.insert((2, 2, "b", stack.ago(minutes=3)))
    for _ in range(2):
        stack.sync_one()
    assert stack.warehouse_rows() == stack.source_rows()
    assert "external" in [entry["action"] for entry in Journal(objects, stack.table())]
