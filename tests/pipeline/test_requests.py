"""How often a sync asks the store, the source and the warehouse."""

from pathlib import Path

from tests.servers import Database
from tests.servers.counting import counting
from tests.servers.s3 import S3Server
from tests.stack import server_stack


def test_count(tmp_path: Path, source_db: Database, pg_db: Database, s3: S3Server) -> None:
    stack = server_stack(tmp_path, source_db, pg_db, s3)
    stack.create()
    stack.insert(*((n, 1, "a", stack.ago(hours=2)) for n in (1, 2, 3)))
    stack.sync()
    for what in ("changed", "idle", "idle again"):
        if what == "changed":
            stack.insert((4, 1, "b", stack.ago(minutes=2)))
        with counting(s3, source_db.server) as asked:
            stack.sync()
        print("=====", what, asked.by_method, sum(asked.by_method.values()))
        for request in asked.requests:
            print("  ", request)
        print(
            "source", asked.source_connections, "settings", asked.settings, "guard", asked.guard, len(asked.statements)
        )
        for st in asked.statements:
            print("  ", st[:230])
        print("warehouse", asked.warehouse_connections, len(asked.warehouse))
        for st in asked.warehouse:
            print("  ", st[:150])
