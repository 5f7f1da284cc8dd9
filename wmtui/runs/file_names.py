"""Object keys of data files: built and parsed in this one place, exactly.

Three kinds: our own parts (`incremental/<table>/year=…/<table>_<time>_<run>_<token>_<part>.parquet`), foreign files
below `incremental/<table>/`, and the older flat layout
`incremental/year=…/<schema_table>_<YYYYMMDD_HHMMSS>_batch_….parquet`, which all tables share.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime

from msgspec import Struct

from wmtui.model import TableName

ROOT = "incremental/"
FLAT_PREFIX = "incremental/year="

RUN = "(?:[0-9a-d][0-9a-f]|e[0-5])[0-9a-f]{16}"
"""What a run's name looks like: milliseconds since 1970 that no calendar's end cuts off, then chance."""
_PART_TAIL = re.compile(rf"_\d{{8}}T\d{{6}}Z_(?P<run>{RUN})_(?P<token>\d+)_(?P<part>\d{{5,}})\.parquet", re.ASCII)
_FLAT = re.compile(
    r"incremental/year=\d+/(?:[a-z]+=[^/]*/)*(?P<table>[^/]+)_\d{8}_\d{6}_batch_[^/]*\.parquet", re.ASCII
)


class PartName(Struct, frozen=True):
    """What the name of one of our own parts says."""

    run: str
    token: int
    part: int


def table_prefix(table: TableName) -> str:
    """The folder of a table's files; ends in `/`, so that `t_1` never lists `t_10`."""
    return f"{ROOT}{table.key}/"


def in_staging_area(table: TableName, key: str) -> bool:
    """Whether a file lies where writers keep what is not finished, or their own notes (`_temporary`, `.hive-staging`,
    `_delta_log`): below the table's folder, a name that begins with `_` or `.` and is no `name=value`.
    """
    *folders, name = key.removeprefix(table_prefix(table)).split("/")
    hidden = [part for part in folders if part[:1] in ("_", ".") and "=" not in part]
    return bool(hidden) or (name[:1] in ("_", ".") and parse_part(table, key) is None)


def day_folder(day: date) -> str:
    """`year=YYYY/month=MM/day=DD/`."""
    return f"year={day:%Y}/month={day:%m}/day={day:%d}/"


def part_key(table: TableName, started: datetime, run: str, token: int, part: int) -> str:
    """The key of a part. started: the run's start, aware UTC; part: counts from 0 over the whole run."""
    at = started.astimezone(UTC)
    name = f"{table.key}_{at:%Y%m%dT%H%M%SZ}_{run}_{token}_{part:05d}.parquet"
    return f"{table_prefix(table)}{day_folder(at.date())}{name}"


def parse_part(table: TableName, key: str) -> PartName | None:
    """What a key says if it is one of our own parts of exactly this table, else None (a foreign file)."""
    name = key.rpartition("/")[2]
    if not name.startswith(table.key):
        return None
    match = _PART_TAIL.fullmatch(name, len(table.key))
    return PartName(match["run"], int(match["token"]), int(match["part"])) if match else None


class FlatNames:
    """Which configured table a file of the older flat layout belongs to.

    `schema_table` may be read in two ways (`a.b_c` and `a_b.c`): a name that fits two configured tables belongs to
    neither.
    """

    def __init__(self, tables: Iterable[TableName]) -> None:
        self._owners: dict[str, list[TableName]] = {}
        for table in tables:
            self._owners.setdefault(f"{table.schema}_{table.name}", []).append(table)

    def owners(self, key: str) -> list[TableName]:
        """The configured tables a key fits: one is its owner, two are ambiguous, none is somebody else's file."""
        match = _FLAT.fullmatch(key)
        return self._owners.get(match["table"], []) if match else []
