"""What operators do, word for word, with the commands of the README."""

from datetime import datetime, timedelta

from tests.shell import Operator


def seed(operator: Operator, *, hours: float = 3, first: int = 1, count: int = 10, name: str = "orders") -> None:
    rows = (
        (i, 1, "seed", operator.stack.ago(hours=hours, minutes=-2 * (i - first))) for i in range(first, first + count)
    )
    operator.stack.insert(*rows, name=name)


def test_reset_set_sync_get_is_a_fresh_sync_from_a_point(operator: Operator) -> None:
    seed(operator, hours=30)
    seed(operator, hours=3, first=101)
    operator.type("wmtui watermark reset -t T --yes")
    operator.type(f"wmtui watermark set -t T --timestamp '{operator.stack.ago(hours=4)}'")
    summary = operator.json("wmtui sync -t T")
    assert summary["tables"][0]["rows_extracted"] == summary["tables"][0]["rows_loaded"] == 10
    mark = operator.json("wmtui watermark get -t T")
    assert (mark["backup_strategy"], mark["mysql_status"], mark["redshift_status"]) == (
        "sequential",
        "success",
        "success",
    )
    assert mark["last_processed_key"] == [110]
    assert [row[0] for row in operator.stack.warehouse_rows()] == list(range(101, 111))


def test_reset_set_redshift_only_loads_files_after_the_point_also_those_loaded_before_the_reset(
    operator: Operator,
) -> None:
    seed(operator)
    operator.type("wmtui sync -t T")
    operator.type("wmtui watermark reset -t T --yes")
    operator.type("wmtui watermark set -t T --timestamp 2025-08-09")
    summary = operator.json("wmtui sync -t T --redshift-only")
    assert (summary["tables"][0]["files_loaded"], summary["tables"][0]["rows_loaded"]) == (1, 10)
    mark = operator.json("wmtui watermark get -t T")
    assert (mark["backup_strategy"], mark["epoch"]) == ("manual_cli", 2)
    assert mark["last_mysql_data_timestamp"] == "2025-08-09 00:00:00"
    assert operator.stack.warehouse_rows() == operator.stack.source_rows()


def test_set_two_tables_list_sync_both(operator: Operator) -> None:
    for name in ("orders", "items"):
        seed(operator, name=name)
    operator.type("wmtui watermark set -t T --timestamp 2025-08-09")
    operator.type("wmtui watermark set -t U --timestamp '2025-08-10 12:00:00'")
    marks = {t["table"]: t["document"] for t in operator.json("wmtui watermark list")["tables"]}
    assert {m["backup_strategy"] for m in marks.values()} == {"manual_cli"}
    assert {m["last_mysql_data_timestamp"] for m in marks.values()} == {"2025-08-09 00:00:00", "2025-08-10 12:00:00"}
    assert "manual" in operator.type("wmtui watermark list")
    summary = operator.json("wmtui sync -t T -t U")
    assert [t["rows_loaded"] for t in summary["tables"]] == [10, 10]
    for name in ("orders", "items"):
        assert operator.stack.warehouse_rows(name) == operator.stack.source_rows(name)


def test_filtered_to_0_files_names_the_reason_and_the_point_and_following_it_loads_them(operator: Operator) -> None:
    seed(operator)
    operator.type("wmtui sync -t T --backup-only")
    operator.type(f"wmtui watermark set -t T --timestamp '{operator.stack.ago(hours=-1)}' --force")
    operator.type("wmtui sync -t T --redshift-only", code=6)
    assert "Found 1 files, filtered to 0 files for loading" in operator.err
    files = operator.json("wmtui files -t T")
    assert (files["found"], files["selected"], files["reasons"]) == (1, 0, {"before_watermark": 1})
    assert files["hint"].startswith("1 file enters if you set ")
    point = files["hint"].removeprefix("1 file enters if you set ")
    assert "Found 1 files, filtered to 1 files for loading" in operator.type(
        f"wmtui watermark set -t T --timestamp '{point}'"
    )
    operator.type("wmtui sync -t T --redshift-only")
    assert operator.stack.warehouse_rows() == operator.stack.source_rows()


def test_a_manual_watermark_then_a_full_sync_starts_there_becomes_automated_and_keeps_excluded_parts_out(
    operator: Operator,
) -> None:
    operator.stack.turn_back(hours=1)
    seed(operator)
    operator.type("wmtui sync -t T --backup-only")
    operator.stack.let_pass(hours=1)
    seed(operator, first=101, hours=0.5)
    operator.type("wmtui watermark set -t T --timestamp -40m")
    before = operator.stack.keys()
    summary = operator.json("wmtui sync -t T")
    assert (summary["tables"][0]["rows_extracted"], summary["tables"][0]["files_loaded"]) == (10, 1)
    mark = operator.json("wmtui watermark get -t T")
    assert (mark["backup_strategy"], mark["last_processed_key"]) == ("sequential", [110])
    assert [row[0] for row in operator.stack.warehouse_rows()] == list(range(101, 111))
    verdicts = {v["key"]: v["reason"] for v in operator.json("wmtui files -t T")["verdicts"]}
    assert [verdicts[key] for key in before] == ["before_floor"]
    operator.type("wmtui sync -t T")
    assert [row[0] for row in operator.stack.warehouse_rows()] == list(range(101, 111))


def test_presets_move_the_system_watermark_and_a_table_without_its_own_falls_back_to_it(operator: Operator) -> None:
    operator.type("wmtui watermark set aug4", code=2)
    operator.type("wmtui watermark set aug4 --force")
    assert operator.json("wmtui watermark get") == {"system_watermark": "2025-08-04 00:00:00"}
    operator.type("wmtui watermark reset 1week --force")
    point = operator.json("wmtui watermark get")["system_watermark"]
    assert abs(operator.stack.ago(days=7) - datetime.fromisoformat(point)) < timedelta(minutes=5)
    seed(operator, hours=24 * 9)
    seed(operator, hours=24 * 3, first=101)
    operator.type("wmtui sync -t T")
    assert [row[0] for row in operator.stack.warehouse_rows()] == list(range(101, 111))


def test_run_over_all_tables_leaves_manual_watermarks_manual_and_says_so(operator: Operator) -> None:
    for name in ("orders", "items"):
        seed(operator, name=name)
    operator.type("wmtui watermark set -t T --timestamp 2025-08-09")
    operator.type("wmtui --run")
    assert "its watermark is manual: only loading, it stays manual" in operator.err
    assert operator.json("wmtui watermark get -t T")["backup_strategy"] == "manual_cli"
    assert operator.stack.warehouse_rows("items") == operator.stack.source_rows("items")
