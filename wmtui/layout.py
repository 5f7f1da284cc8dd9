"""Every key below the store's root: built, and parsed, in this one place.

    watermark/
      store.json                      whose store this is
      last_run_timestamp.txt          the system watermark
      tables/<table>.json             a table's watermark
      journal/<table>/<serial>.json   one change of it
      locks/<table>.json              its lease, and what the last run left
      runs/<table>/<run>.json         what an extraction run read and wrote
      loads/<table>/<day>.json        which files loads committed
      decisions/<table>.json          what operators decided about single files
      manifests/<load>-<n>.json       of a COPY into Redshift, while it runs
      probe/<random>.json             objects on which conditional writes are tried
    incremental/
      <table>/year=…/month=…/day=…/   parts of our own; below <table>/ also files of other writers
      year=…/                         the older flat layout, which all tables share

`<table>` is `TableName.key`: `schema.table`, percent-encoded.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from uuid import uuid4

from msgspec import Struct

from wmtui.model import TableName

DOCUMENTS = "watermark/"
"""The folder of everything that is no data."""
STORE = f"{DOCUMENTS}store.json"
SYSTEM_WATERMARK = f"{DOCUMENTS}last_run_timestamp.txt"
ALERTS = f"{DOCUMENTS}alerts.json"
"""Of the pipeline's other tools; neither read nor written here."""

WATERMARKS = f"{DOCUMENTS}tables/"
JOURNALS = f"{DOCUMENTS}journal/"
LOCKS = f"{DOCUMENTS}locks/"
RUNS = f"{DOCUMENTS}runs/"
LOADS = f"{DOCUMENTS}loads/"
DECISIONS = f"{DOCUMENTS}decisions/"
MANIFESTS = f"{DOCUMENTS}manifests/"
PROBES = f"{DOCUMENTS}probe/"
BACKFILLS = f"{DOCUMENTS}backfills/"
"""Of the pipeline's other tools; neither read nor written here."""

DATA = "incremental/"
"""The folder of every data file."""
DAYS = "year="
"""With what every folder of a day begins."""
FLAT_DATA = f"{DATA}{DAYS}"
"""With what keys of the older flat layout begin."""

PERMISSION_PROBES = "_doctor/"
"""Below any folder: where `doctor` tries what it may do there. A folder that begins so holds no data."""

RUN = "(?:[0-9a-d][0-9a-f]|e[0-5])[0-9a-f]{16}"
"""What a run's name looks like: milliseconds since 1970 (up to the year 9983), then random digits."""

_JOURNAL_ENTRY = re.compile(r"([0-9]{12})\.json")
_RUN_DOCUMENT = re.compile(rf"({RUN})\.json")
_LOADS_OF_A_DAY = re.compile(r"\d{4}-\d{2}-\d{2}\.json", re.ASCII)
_PART_TAIL = re.compile(rf"_\d{{8}}T\d{{6}}Z_(?P<run>{RUN})_(?P<token>\d+)_(?P<part>\d{{5,}})\.parquet", re.ASCII)
_FLAT_NAME = re.compile(
    rf"{FLAT_DATA}\d+/(?:[a-z]+=[^/]*/)*(?P<table>[^/]+)_\d{{8}}_\d{{6}}_batch_[^/]*\.parquet", re.ASCII
)


def watermark_key(table: TableName) -> str:
    """A table's watermark."""
    return f"{WATERMARKS}{table.key}.json"


def older_watermark_key(table: TableName) -> str:
    """Where the tool that came before keeps a table's watermark; never read as one."""
    return f"{WATERMARKS}{table.schema}_{table.name}.json"


def lock_key(table: TableName) -> str:
    """A table's lock document."""
    return f"{LOCKS}{table.key}.json"


def decisions_key(table: TableName) -> str:
    """The decisions about a table's files."""
    return f"{DECISIONS}{table.key}.json"


def journal_folder(table: TableName) -> str:
    """The folder of a table's journal."""
    return f"{JOURNALS}{table.key}/"


def journal_key(table: TableName, serial: int) -> str:
    """The journal entry of a serial; keys sort as serials do."""
    return f"{journal_folder(table)}{serial:012d}.json"


def journal_serial(table: TableName, key: str) -> int | None:
    """The serial of a journal entry, None for a key that is none of this table's."""
    match = _JOURNAL_ENTRY.fullmatch(key, len(journal_folder(table)))
    return int(match[1]) if match else None


def run_folder(table: TableName) -> str:
    """The folder of a table's run documents."""
    return f"{RUNS}{table.key}/"


def run_key(table: TableName, run: str) -> str:
    """A run's document; keys sort as runs began."""
    return f"{run_folder(table)}{run}.json"


def run_of_document(table: TableName, key: str) -> str | None:
    """The run whose document has this key, None for a key that is none of this table's."""
    match = _RUN_DOCUMENT.fullmatch(key, len(run_folder(table)))
    return match[1] if match else None


def loads_folder(table: TableName) -> str:
    """The folder of a table's load records."""
    return f"{LOADS}{table.key}/"


def loads_key(table: TableName, day: date) -> str:
    """The load records of a day."""
    return f"{loads_folder(table)}{day:%Y-%m-%d}.json"


def loads_since(table: TableName, day: date) -> str:
    """What a listing goes on after to begin with the load records of this day."""
    return f"{loads_folder(table)}{day.isoformat()}"


def is_loads_key(table: TableName, key: str) -> bool:
    """Whether a key below `loads_folder` is that of a day's load records."""
    return _LOADS_OF_A_DAY.fullmatch(key, len(loads_folder(table))) is not None


def manifest_key(load_id: str, number: int) -> str:
    """The manifest of a load's COPY. number: counts the COPYs of the load."""
    return f"{MANIFESTS}{load_id}-{number}.json"


def new_probe_key() -> str:
    """A key that no object has yet, to try conditional writes on."""
    return f"{PROBES}{uuid4().hex}.json"


class PartName(Struct, frozen=True):
    """What the name of one of our own parts says."""

    run: str
    token: int
    part: int


def data_folder(table: TableName) -> str:
    """The folder of a table's files; ends in `/`, so that `t_1` never lists `t_10`."""
    return f"{DATA}{table.key}/"


def day_folder(day: date) -> str:
    """`year=YYYY/month=MM/day=DD/`."""
    return f"year={day:%Y}/month={day:%m}/day={day:%d}/"


def part_key(table: TableName, started: datetime, run: str, token: int, part: int) -> str:
    """A part of our own: `<table>_<time>_<run>_<token>_<part>.parquet` in the folder of the day.

    started: the run's start, aware UTC; part: counts from 0 over the whole run.
    """
    at = started.astimezone(UTC)
    name = f"{table.key}_{at:%Y%m%dT%H%M%SZ}_{run}_{token}_{part:05d}.parquet"
    return f"{data_folder(table)}{day_folder(at.date())}{name}"


def parse_part(table: TableName, key: str) -> PartName | None:
    """What a key says if it is one of our own parts of exactly this table, else None (a foreign file)."""
    name = key.rpartition("/")[2]
    if not name.startswith(table.key):
        return None
    match = _PART_TAIL.fullmatch(name, len(table.key))
    return PartName(match["run"], int(match["token"]), int(match["part"])) if match else None


def in_staging_area(table: TableName, key: str) -> bool:
    """Whether a file lies where writers keep what is not finished, or their own notes (`_temporary`, `.hive-staging`,
    `_delta_log`): below the table's folder, a name that begins with `_` or `.` and is no `name=value`.
    """
    *folders, name = key.removeprefix(data_folder(table)).split("/")
    hidden = [part for part in folders if part[:1] in ("_", ".") and "=" not in part]
    return bool(hidden) or (name[:1] in ("_", ".") and parse_part(table, key) is None)


class FlatNames:
    """Which configured table a file of the older flat layout belongs to.

    `<schema_table>_<YYYYMMDD_HHMMSS>_batch_….parquet`: `schema_table` may be read in two ways (`a.b_c` and `a_b.c`), so
    a name that fits two configured tables belongs to neither.
    """

    def __init__(self, tables: Iterable[TableName]) -> None:
        self._owners: dict[str, list[TableName]] = {}
        for table in tables:
            self._owners.setdefault(f"{table.schema}_{table.name}", []).append(table)

    def owners(self, key: str) -> list[TableName]:
        """The configured tables a key fits: one is its owner, two are ambiguous, none is a file of another writer."""
        match = _FLAT_NAME.fullmatch(key)
        return self._owners.get(match["table"], []) if match else []
