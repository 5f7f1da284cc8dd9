"""`wmtui store` and `wmtui accept`: whose store it is, and going on after a refusal."""

import shutil
from pathlib import Path

from tests.cli.conftest import Wmtui
from tests.stack import Stack

ORDERS = ("-t", "shop.orders")
WHY = ("--reason", "meant so")


def moved(stack: Stack, tmp_path: Path) -> None:
    shutil.move(tmp_path / "lake", tmp_path / "moved")
    stack.document["profiles"]["test"]["store"] = str(tmp_path / "moved")
    stack.reload()


def test_a_store_has_no_id_before_the_first_write(wmtui: Wmtui) -> None:
    found = wmtui("store", "show", "--json")
    assert (found.code, found.json["known"], "id" in found.json) == (0, True, False)
    assert "none yet" in wmtui("store", "show").out


def test_a_store_shows_its_id_its_places_and_the_warehouse_of_each_profile(wmtui: Wmtui, tmp_path: Path) -> None:
    assert wmtui("sync", *ORDERS).code == 0
    found = wmtui("store", "show", "--json").json
    assert (len(found["id"]), found["root"], found["known"]) == (32, f"{tmp_path}/lake/", True)
    assert [root["root"] for root in found["roots"]] == [f"{tmp_path}/lake/"]
    assert list(found["warehouses"]) == ["test"]
    said = wmtui("store", "show").out
    assert found["id"] in said
    assert f"{found['warehouses']['test']} of profile test" in said


def test_a_moved_store_is_accepted_once_with_a_reason(wmtui: Wmtui, stack: Stack, tmp_path: Path) -> None:
    wmtui("sync", *ORDERS)
    refused = wmtui("store", "accept", "--moved", *WHY)
    assert (refused.code, "there is nothing to accept" in refused.err) == (2, True)
    moved(stack, tmp_path)
    shown = wmtui("store", "show")
    assert "this root is new" in shown.err
    for line, said in (
        (("store", "accept", *WHY), "add --moved"),
        (("store", "accept", "--moved"), "add --reason"),
        (("store", "accept", "--moved", *WHY, "--read-only"), "read-only"),
    ):
        found = wmtui(*line)
        assert (found.code, said in found.err) == (2, True), found.err
    done = wmtui("store", "accept", "--moved", *WHY, "--json").json
    assert (done["known"], done["roots"][1]["reason"]) == (True, "meant so")
    assert wmtui("store", "show").err == ""


def test_what_a_sync_refused_is_accepted_and_stands_in_the_history(wmtui: Wmtui, stack: Stack) -> None:
    wmtui("sync", *ORDERS)
    assert "fit each other" in wmtui("accept", *ORDERS, *WHY).err
    stack.warehouse("DELETE FROM orders")
    stack.insert((9999, "1.00", "new", stack.ago(minutes=5)))
    refused = wmtui("sync", *ORDERS)
    assert refused.code == 1
    assert "`wmtui accept -t shop.orders --reason …`" in refused.err
    assert wmtui("sync", *ORDERS, "--dry-run").code == 1
    assert wmtui("accept", *ORDERS).code == 2
    assert wmtui("accept", *ORDERS, *WHY, "--read-only").code == 2
    assert wmtui("accept", *ORDERS, *WHY, "--moved-from", "shop.items").code == 2
    done = wmtui("accept", *ORDERS, *WHY, "--json")
    assert (done.code, [found["doubt"] for found in done.json["accepted"]]) == (0, ["rows_gone"])
    assert wmtui("sync", *ORDERS).code == 0
    history = wmtui("watermark", "history", *ORDERS).out
    assert "accepted" in history
    assert "meant so" in history


def test_each_profile_shows_the_status_of_its_own_warehouse(wmtui: Wmtui, stack: Stack, tmp_path: Path) -> None:
    first = stack.document["profiles"]["test"]
    warehouse = {"type": "duckdb", "path": str(tmp_path / "second.duckdb")}
    stack.document["profiles"]["second"] = {**first, "warehouse": warehouse}
    stack.document["default_profile"] = "test"
    stack.reload()
    wmtui("sync", *ORDERS)

    def statuses(profile: str) -> tuple[str, str]:
        found = wmtui("status", "--json", "--profile", profile).json["tables"]
        (status,) = [status for status in found if status["table"] == "shop.orders"]
        listed = wmtui("watermark", "list", "--profile", profile).out
        (line,) = [line for line in listed.splitlines() if "shop.orders" in line]
        return status["redshift_status"], line

    assert statuses("test")[0] == "success"
    assert statuses("second")[0] == "pending"
    assert statuses("second")[1].count("pending") == 1
    assert wmtui("files", *ORDERS, "--json", "--profile", "second").json["selected"] == 1
    assert wmtui("sync", *ORDERS, "--redshift-only", "--profile", "second").code == 0
    assert statuses("second")[0] == "success"
    document = wmtui("watermark", "get", *ORDERS, "--json").json
    assert sorted(noted["profile"] for noted in document["warehouses"].values()) == ["second", "test"]
    assert document["redshift_rows_loaded"] == 3
