"""The watermark document of one table, as a value.

Every field of the JSON document is kept, known or not; the properties read the known ones. Changing it is the store's
business: a patch names fields, a field not named stays as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from wmtui.errors import Unreadable
from wmtui.model import Key, Position, TableName
from wmtui.watermarks import documents, journal_entries
from wmtui.watermarks.bounds import DEEPEST, VERSION, document_problem, nesting_problem
from wmtui.watermarks.timestamps import parse_instant, parse_wall

MANUAL = "manual_cli"
"""The `backup_strategy` of a watermark that an operator placed."""

Json = documents.Json


class SideStatus(StrEnum):
    """How one side of a table is, extraction or loading, as the document says; another tool may write other words."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    SUCCESS = "success"
    FAILED = "failed"


DEFAULT_FIELDS: Json = {
    "last_mysql_data_timestamp": None,
    "last_mysql_extraction_time": None,
    "last_processed_key": None,
    "mysql_status": SideStatus.PENDING,
    "redshift_status": SideStatus.PENDING,
    "backup_strategy": "sequential",
    "mysql_rows_extracted": 0,
    "redshift_rows_loaded": 0,
    "s3_file_count": 0,
    "last_redshift_load_time": None,
    "last_error": None,
    "pin": None,
    "load_floor": None,
    "placed": None,
    "placed_by": None,
    "pending_extraction": None,
    "extracted_run": None,
    "warehouses": {},
    "fence": 0,
    "epoch": 1,
}
_ROWS = ("mysql_rows_extracted", "redshift_rows_loaded", "s3_file_count")
"""Counts that other tools leave null."""


class Watermark(Struct, frozen=True):
    """One table's watermark: up to which point its data has been extracted and loaded.

    fields: the JSON document, unknown fields included. All times are UTC but `data_timestamp`, which is wall clock
    in the document's own `timezone`.
    """

    table: TableName
    fields: Mapping[str, Any]

    @classmethod
    def new(cls, table: TableName) -> "Watermark":
        """The document of a table that was never synced."""
        return cls(table, {"table_name": str(table), **DEFAULT_FIELDS, "metadata": {"version": VERSION, "serial": 0}})

    @classmethod
    def decode(cls, table: TableName, data: bytes, key: str) -> "Watermark":
        """Read a document, by this program or another; raises Unreadable with its key and the reason."""
        document = documents.decode(key, data)
        raw = {name: value for name, value in document.items() if value is not None or name not in _ROWS}
        problem = document_problem(str(table), raw)
        if problem is None and documents.may_be_deeper(data, DEEPEST):
            problem = nesting_problem(raw)
        if problem:
            raise Unreadable(key, problem)
        metadata = {"version": VERSION, "serial": 0, **(raw.get("metadata") or {})}
        if "created_at" in raw:
            metadata.setdefault("created_at", raw["created_at"])
        return cls(table, {"table_name": str(table), **DEFAULT_FIELDS, **raw, "metadata": metadata})

    def encode(self) -> bytes:
        """The document as JSON text."""
        return documents.encode(self.fields)

    def patched(self, patch: Mapping[str, Any]) -> "Watermark":
        """The document with the patch's fields changed and every other kept."""
        return Watermark(self.table, {**self.fields, **patch})

    @property
    def content(self) -> Json:
        """Everything but the bookkeeping: what the journal compares and `undo` restores."""
        return {name: value for name, value in self.fields.items() if name != "metadata"}

    @property
    def serial(self) -> int:
        """Number of the last change; 0 for a document that wmtui never wrote."""
        return int(self.fields["metadata"].get("serial") or 0)

    @property
    def write_id(self) -> str | None:
        """Identity of the write that left this document."""
        write_id: str | None = self.fields["metadata"].get("write_id")
        return write_id

    @property
    def change(self) -> Json | None:
        """The journal entry of this serial, which rides in the document; None in one that wmtui never wrote."""
        entry = self.fields["metadata"].get("change")
        usable = isinstance(entry, dict) and self.serial and not journal_entries.entry_problem(entry, self.serial)
        return entry if usable else None

    @property
    def unchanged_outside(self) -> bool:
        """It has the content that its own last change left: no other tool has edited it since."""
        change = self.change
        if change is None:
            return False
        if "digest" in change:
            return bool(change["digest"] == digest_of(self.content))
        return with_defaults(change["after"]) == self.content

    @property
    def problem(self) -> str | None:
        """Why this document could not be read again, or None."""
        return document_problem(str(self.table), dict(self.fields))

    @property
    def data_timestamp(self) -> datetime | None:
        """Cursor of the last row extracted, wall clock in the document's time zone."""
        text = self.fields["last_mysql_data_timestamp"]
        return parse_wall(text) if text else None

    @property
    def timezone(self) -> str | None:
        """The zone of `data_timestamp`; None: it was not noted, and is the profile's."""
        name: str | None = self.fields.get("timezone")
        return name

    @property
    def key(self) -> Key | None:
        """Primary key of the last row extracted; None when only the time is known."""
        value = self.fields["last_processed_key"]
        return tuple(value) if value else None

    @property
    def position(self) -> Position | None:
        """Where the next extraction begins; None: at the beginning."""
        return Position(self.data_timestamp, self.key) if self.data_timestamp else None

    @property
    def extraction_time(self) -> datetime | None:
        """When the last extraction ended."""
        return _instant(self.fields["last_mysql_extraction_time"])

    @property
    def load_floor(self) -> datetime | None:
        """Files at or before this instant were excluded by an operator's `set`."""
        return _instant(self.fields["load_floor"])

    @property
    def placed(self) -> datetime | None:
        """When an operator last placed it by `set`; rows from the load floor on are read again since then."""
        return _instant(self.fields["placed"])

    @property
    def is_manual(self) -> bool:
        """An operator placed it; no run has extracted rows since."""
        return bool(self.fields["backup_strategy"] == MANUAL)

    @property
    def epoch(self) -> int:
        """Counts resets, from 1."""
        return int(self.fields["epoch"])

    @property
    def next_epoch(self) -> int:
        """An epoch that was never used, not even by changes that `undo` has taken back."""
        return 1 + max(self.epoch, int(self.fields.get("highest_epoch", 0)))

    @property
    def fence(self) -> int:
        """The highest lease token that has written here."""
        return int(self.fields["fence"])

    @property
    def extracted_run(self) -> str | None:
        """The run whose last row the watermark stands on; None where an operator placed it, or it was never noted."""
        run: str | None = self.fields["extracted_run"]
        return run

    def loads_into(self, warehouse: str | None) -> Mapping[str, Any]:
        """Of loads into the warehouse of this id: status, rows, loaded_at, loaded_to, error, profile, accepted_at."""
        found: Mapping[str, Any] = self.fields["warehouses"].get(warehouse or "", {})
        return found

    @property
    def extraction_status(self) -> str:
        """A SideStatus, or what another tool wrote."""
        return str(self.fields["mysql_status"])

    def load_status(self, warehouse: str | None, *, default: bool) -> str:
        """A SideStatus, or what another tool wrote, of loads into one warehouse.

        default: it is the default profile's, which has a field of its own.
        """
        if default:
            return str(self.fields["redshift_status"])
        return str(self.loads_into(warehouse).get("status", SideStatus.PENDING))

    @property
    def pending_extraction(self) -> str | None:
        """The run that has begun and not yet moved the watermark."""
        run: str | None = self.fields["pending_extraction"]
        return run


def digest_of(content: Json) -> str:
    """What tells a content from any other; fields that a later version adds make no difference."""
    return journal_entries.digest(content, DEFAULT_FIELDS)


def with_defaults(content: Json) -> Json:
    """The content of a document of any version, with the fields that came later as a new document has them."""
    return {**DEFAULT_FIELDS, **content}


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None
