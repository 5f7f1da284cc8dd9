"""The watermark document of one table, as a value.

Every field of the JSON document is kept, known or not; the properties read the known ones. Changing it is the store's
business: a patch names fields, a field not named stays as it is.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from wmtui.errors import Unreadable
from wmtui.model import Key, Position, TableName
from wmtui.watermarks import documents, entries
from wmtui.watermarks.timestamps import format_instant, format_wall, parse_instant, parse_wall
from wmtui.watermarks.validity import DEEPEST, VERSION, document_problem, nesting_problem

MANUAL = "manual_cli"

Json = documents.Json

_NEW: Json = {
    "last_mysql_data_timestamp": None,
    "last_mysql_extraction_time": None,
    "last_processed_key": None,
    "mysql_status": "pending",
    "redshift_status": "pending",
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
OWN_FIELDS = ("fence", "pending_extraction", "highest_epoch", "pin", "warehouses")
"""What no other document may bring: neither `undo` nor an import changes it. The pin is somebody's word, not state."""
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
        return cls(table, {"table_name": str(table), **_NEW, "metadata": {"version": VERSION, "serial": 0}})

    @classmethod
    def decode(cls, table: TableName, data: bytes, key: str) -> "Watermark":
        """Read a document, by this program or another; raises Unreadable with its key and the reason."""
        found = documents.decode(key, data)
        raw = {name: value for name, value in found.items() if value is not None or name not in _ROWS}
        problem = document_problem(str(table), raw)
        if problem is None and documents.may_be_deeper(data, DEEPEST):
            problem = nesting_problem(raw)
        if problem:
            raise Unreadable(key, problem)
        metadata = {"version": VERSION, "serial": 0, **(raw.get("metadata") or {})}
        if "created_at" in raw:
            metadata.setdefault("created_at", raw["created_at"])
        return cls(table, {"table_name": str(table), **_NEW, **raw, "metadata": metadata})

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
        usable = isinstance(entry, dict) and self.serial and not entries.entry_problem(entry, self.serial)
        return entry if usable else None

    @property
    def is_as_left(self) -> bool:
        """It has the content that its own last change left: nobody has edited it behind wmtui's back."""
        change = self.change
        if change is None:
            return False
        if "digest" in change:
            return bool(change["digest"] == digest_of(self.content))
        return complete(change["after"]) == self.content

    @property
    def problem(self) -> str | None:
        """Why nobody could read this document again, or None."""
        return document_problem(str(self.table), dict(self.fields))

    @property
    def data_timestamp(self) -> datetime | None:
        """Cursor of the last row extracted, wall clock in the document's time zone."""
        text = self.fields["last_mysql_data_timestamp"]
        return parse_wall(text) if text else None

    @property
    def timezone(self) -> str | None:
        """The zone of `data_timestamp`; None: nobody said, it is the profile's."""
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
        """An epoch that was never used, not even by changes that `undo` went back behind."""
        return 1 + max(self.epoch, int(self.fields.get("highest_epoch", 0)))

    @property
    def fence(self) -> int:
        """The highest lease token that has written here."""
        return int(self.fields["fence"])

    @property
    def extracted_run(self) -> str | None:
        """The run whose last row the watermark stands on; None where somebody placed it, or it was never noted."""
        run: str | None = self.fields["extracted_run"]
        return run

    def loads_into(self, warehouse: str | None) -> Mapping[str, Any]:
        """Of loads into the warehouse of this id: status, rows, loaded_at, loaded_to, error, profile, accepted_at."""
        found: Mapping[str, Any] = self.fields["warehouses"].get(warehouse or "", {})
        return found

    def load_status(self, warehouse: str | None, *, default: bool) -> str:
        """Of loads into one warehouse. default: it is the default profile's, whose status is `redshift_status`."""
        return str(self.fields["redshift_status"] if default else self.loads_into(warehouse).get("status", "pending"))

    @property
    def pending_extraction(self) -> str | None:
        """The run that has begun and not yet moved the watermark."""
        run: str | None = self.fields["pending_extraction"]
        return run


def digest_of(content: Json) -> str:
    """What tells a content from any other; fields that a later version adds make no difference."""
    return entries.digest(content, _NEW)


def complete(content: Json) -> Json:
    """The content of a document of any version, with the fields that came later as a new document has them."""
    return {**_NEW, **content}


def loaded_into(mark: Watermark, warehouse: str | None, noted: Json, *, default: bool) -> Json:
    """What a load leaves: for its warehouse, and in the fields of the document itself if that is the default profile's.

    noted: status, rows, loaded_at, error and profile, as far as they change. warehouse: None where its id is unknown.
    """
    names = {"status": "redshift_status", "rows": "redshift_rows_loaded", "loaded_at": "last_redshift_load_time"}
    patch: Json = {names[name]: value for name, value in noted.items() if name in names} if default else {}
    if default and "error" in noted:
        patch["last_error"] = noted["error"]
    if warehouse is not None:
        known = mark.fields["warehouses"]
        patch["warehouses"] = {**known, warehouse: {**known.get(warehouse, {}), **noted}}
    return patch


def pending_everywhere(mark: Watermark, loaded_to: datetime | None = None, *, placed: bool = False) -> Json:
    """New files wait for every warehouse.

    loaded_to: up to where rows had been read and loaded before; those that lacked some keep what was noted of them,
    unless somebody placed the watermark: then what is before it counts as loaded.
    """
    to: Json = {"loaded_to": format_instant(loaded_to)} if loaded_to else {}
    warehouses = {}
    for warehouse, noted in mark.fields["warehouses"].items():
        afresh = placed or noted.get("status") == "success"
        kept = {name: value for name, value in noted.items() if not (afresh and name == "loaded_to")}
        warehouses[warehouse] = {**kept, "status": "pending", **(to if afresh else {})}
    return {"redshift_status": "pending", "warehouses": warehouses}


def patch_set(current: Watermark, wall: datetime, instant: datetime, now: datetime, by: str | None = None) -> Json:
    """`set`: place the watermark at a point by hand. wall and instant are the same point in both forms.

    timezone None: that of whoever writes it. by: who does, and on which host.
    """
    return {
        **pending_everywhere(current, instant, placed=True),
        "timezone": None,
        "last_mysql_data_timestamp": format_wall(wall),
        "load_floor": format_instant(instant),
        "placed": format_instant(now),
        "placed_by": by,
        "last_mysql_extraction_time": None,
        "last_processed_key": None,
        "last_error": None,
        "pending_extraction": None,
        "extracted_run": None,
        "backup_strategy": MANUAL,
        "mysql_status": "success",
    }


def patch_reset(current: Watermark) -> Json:
    """`reset`: the document of a new table in an epoch of its own. The pin stays."""
    fresh = {name: value for name, value in _NEW.items() if name not in ("fence", "pin")}
    return {**fresh, **pending_everywhere(current, placed=True), "timezone": None, "epoch": current.next_epoch}


def patch_undo(current: Watermark, earlier: Watermark) -> Json:
    """`undo`: the content of an earlier document.

    The epoch goes back too, so that the files loaded and carried over are those that belong to the position. What was
    loaded in a later epoch still counts as loaded, and no reset uses that epoch's number again. A field that only the
    current document has becomes null. A status of a run under way is shown as pending: that run is over. A document
    from before zones were noted is in the current one's.
    """
    restored = {**dict.fromkeys(current.content), **earlier.content}
    if restored.get("timezone") is None:
        restored.pop("timezone", None)
    for name in ("mysql_status", "redshift_status"):
        if restored[name] == "in_progress":
            restored[name] = "pending"
    kept = {name: value for name, value in restored.items() if name not in OWN_FIELDS}
    return {**pending_everywhere(current, placed=True), **kept}


def keep_highest_epoch(before: Mapping[str, Any], after: Json) -> Json:
    """The content after a change, which remembers the highest epoch where the change goes back behind it."""
    highest = max(int(content.get(name, 0)) for content in (before, after) for name in ("epoch", "highest_epoch"))
    return {**after, "highest_epoch": highest} if highest > after["epoch"] else after


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None
