"""What follows when a sandbox is moved: the ledger and its copy in the store know files by their address."""

import json
import os
from pathlib import Path

import duckdb

from wmtui.config import DuckDBConfig, Settings
from wmtui.errors import WarehouseError
from wmtui.warehouses.quoting import quote


def readdress(settings: Settings, old: Path, new: Path) -> None:
    """Let everything that names files below `old` name them below `new`; doing it twice is doing it once.

    Raises WarehouseError when the warehouse cannot be written.
    """
    for document in Path(settings.store.root, "watermark", "loads").rglob("*.json"):
        _replace(document, _json_start(f"{old}/"), _json_start(f"{new}/"), settings.path.parent / "moving")
    assert isinstance(settings.profile.warehouse, DuckDBConfig)
    path = settings.profile.warehouse.path
    sql = f"UPDATE {quote(LEDGER)} SET uri = $new || substr(uri, length($old) + 1) WHERE starts_with(uri, $old)"  # noqa: S608
    try:
        with duckdb.connect(path) as connection:
            connection.execute(sql, {"old": f"{old}/", "new": f"{new}/"})
    except duckdb.Error as error:
        raise WarehouseError(
            f"cannot write {path}", str(error), "end whatever has it open, or make the sandbox anew with --demo-reset"
        ) from error


def _json_start(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[:-1]


def _replace(file: Path, old: str, new: str, spare: Path) -> None:
    """Change a file's text, by way of a spare one, and keep its time, which is the sandbox's."""
    status = file.stat()
    spare.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    os.utime(spare, ns=(status.st_atime_ns, status.st_mtime_ns))
    spare.replace(file)
