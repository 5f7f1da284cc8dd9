"""The life of a watermark: every change that is made to one, each as the patch that it writes.

A watermark stands at no point (new), at a point that an operator chose (manual), or at the last row of a run
(automated). A run that has begun and not yet moved it is pending:

                             ┌──────────── run abandoned ────────────┐
                             ▼                                       │
      ┌──────▶ new, manual or automated ──── run started ────▶ a run is pending
      │                      │                                       │
      │                      │                                       └── extracted ──▶ automated
      │                      ├── set ──▶ manual
      └── undo, import ──────┼── reset ──▶ new, in the next epoch
                             └── pin ──▶ as it was, and neither runs nor operators move it ── unpin ──▶ as it was

Each side has a status: extraction goes from pending over in_progress (run started) to success (extracted); loading
waits (pending) for what was extracted, until it is success (loaded). Either may become failed, until a run succeeds.

    run started           start_run          an extraction run begins or resumes      pipeline.extract
    extracted             finish_run         it was committed                         pipeline.extract, runs.settle
    run abandoned         abandon_run        it can or may not be resumed             pipeline.extract, runs.settle
    recovered             recover            a run without news after a failed one    pipeline.extract
    failed                fail_extraction,   a run failed                             pipeline.sync
                          fail_load
    loaded                finish_load        a load was committed, or none is due     pipeline.load
    accepted              accept_warehouse   an operator vouches for a warehouse      service.ownership
    set, reset, import    set_point, reset,  an operator's edits                      service.watermarks
                          import_fields
    undo                  undo               an operator takes changes back           service.history
    pin, unpin            pin, unpin         an operator holds the table              service.pins
    files: …              (no field)         decisions about single files             service.files
    restored              (no field)         the document was lost                    WatermarkStore.restore
    external              (no field)         another tool changed the document        WatermarkStore.change

A patch names fields; a field not named stays as it is. Every function is pure; `WatermarkStore.change` writes.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from wmtui.model import Position, Strategy
from wmtui.watermarks.documents import Json
from wmtui.watermarks.model import DEFAULT_FIELDS, MANUAL, SideStatus, Watermark
from wmtui.watermarks.timestamps import format_instant, format_wall

Patch = Mapping[str, Any]
"""Fields of a watermark and the values they get."""
MakePatch = Callable[[Watermark], Patch]
"""Computes a patch from the document as it is; called again after every lost race."""

OWN_FIELDS = ("fence", "pending_extraction", "highest_epoch", "pin", "warehouses")
"""What no other document may bring: neither `undo` nor an import changes it. The pin is an operator's word, not state.
"""
_NOT_IMPORTED = ("schema_version", "table_name", "metadata", "processed_s3_files", *OWN_FIELDS)


class Action(StrEnum):
    """What a change of a watermark was, as the journal says; the values are part of the store's format."""

    RUN_STARTED = "run started"
    EXTRACTED = "extracted"
    RUN_ABANDONED = "run abandoned"
    RECOVERED = "recovered"
    FAILED = "failed"
    LOADED = "loaded"
    ACCEPTED = "accepted"
    SET = "set"
    RESET = "reset"
    UNDO = "undo"
    IMPORT = "import"
    PIN = "pin"
    UNPIN = "unpin"
    FILES_SKIPPED = "files: skipped"
    FILES_WRITTEN_OFF = "files: written off"
    FILES_TAKEN_BACK = "files: decision taken back"
    RESTORED = "restored"
    EXTERNAL = "external"


def start_run(run: str, fence: int) -> Patch:
    """A run has begun under the lease of this token."""
    return {"pending_extraction": run, "fence": fence, "mysql_status": SideStatus.IN_PROGRESS}


def finish_run(
    mark: Watermark,
    *,
    run: str,
    position: Position,
    digits: int | None,
    timezone: str | None,
    at: datetime,
    strategy: Strategy,
    rows: int,
    files: int,
    read_to: datetime | None,
) -> Patch:
    """A run was committed: the watermark stands at the last row it wrote, and its files wait for every warehouse.

    digits: of the cursor's fraction. timezone: of the position; None: the document's. at: when the run ended.
    read_to: up to where the source had been read before.
    """
    zone = {"timezone": timezone} if timezone else {}
    return {
        **_files_wait(mark, read_to),
        **zone,
        "last_mysql_data_timestamp": format_wall(position.cursor, digits),
        "last_processed_key": list(position.key) if position.key else None,
        "last_mysql_extraction_time": format_instant(at.replace(microsecond=0)),
        "mysql_status": SideStatus.SUCCESS,
        "backup_strategy": strategy.value,
        "mysql_rows_extracted": rows,
        "s3_file_count": files,
        "last_error": None,
        "pending_extraction": None,
        "extracted_run": run,
    }


def abandon_run() -> Patch:
    """The pending run is given up: its files are never loaded, and its rows are read again."""
    return {"pending_extraction": None}


def recover(mark: Watermark) -> Patch:
    """A run found no news: the failure of an earlier one is over."""
    status = SideStatus.SUCCESS if mark.position else SideStatus.PENDING
    return {"mysql_status": status, "last_error": None}


def fail_extraction(error: str) -> Patch:
    """A run failed while it read the source."""
    return {"mysql_status": SideStatus.FAILED, "last_error": error}


def fail_load(mark: Watermark, warehouse: str | None, error: str, *, profile: str, default: bool) -> Patch:
    """A load into a warehouse failed. warehouse, profile, default: as for `finish_load`."""
    noted = {"status": SideStatus.FAILED, "error": error, "profile": profile}
    return _note_load(mark, warehouse, noted, default=default)


def finish_load(
    mark: Watermark,
    warehouse: str | None,
    *,
    profile: str,
    default: bool,
    rows: int | None = None,
    at: datetime | None = None,
    fence: int | None = None,
) -> Patch:
    """Everything that is to be loaded into a warehouse is. A manual watermark stays manual: loading moves no position.

    warehouse: its id; None where it is unknown. profile: the one that loaded. default: it is the default profile, whose
    loads are noted in fields of the document itself too. rows, at: of the last load; None: it is the one noted.
    fence: the lease's token; None: nothing was written into the warehouse.
    """
    noted: Json = {"status": SideStatus.SUCCESS}
    if rows is not None:
        noted["rows"] = rows
    if at is not None:
        noted["loaded_at"] = format_instant(at.replace(microsecond=0))
    noted |= {"error": None, "profile": profile}
    return {**_note_load(mark, warehouse, noted, default=default), **({} if fence is None else {"fence": fence})}


def accept_warehouse(mark: Watermark, warehouse: str, *, doubts: Iterable[str], at: datetime, fence: int) -> Patch:
    """An operator vouches for what a warehouse holds, in spite of doubts. fence: the token of the lease."""
    noted = {"accepted_at": format_instant(at), "accepted": list(doubts)}
    return {"fence": max(mark.fence, fence), "warehouses": _with_warehouse(mark, warehouse, noted)}


def set_point(mark: Watermark, wall: datetime, instant: datetime, now: datetime, by: str | None = None) -> Patch:
    """`set`: place the watermark at a point by hand. wall and instant are the same point in both forms.

    timezone None: that of the writer. by: who does, and on which host.
    """
    return {
        **_files_wait(mark, instant, placed=True),
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
        "mysql_status": SideStatus.SUCCESS,
    }


def reset(mark: Watermark) -> Patch:
    """`reset`: the document of a new table in an epoch of its own. The pin stays."""
    fresh = {name: value for name, value in DEFAULT_FIELDS.items() if name not in ("fence", "pin")}
    return {**fresh, **_files_wait(mark, placed=True), "timezone": None, "epoch": mark.next_epoch}


def undo(mark: Watermark, earlier: Watermark) -> Patch:
    """`undo`: the content of an earlier document.

    The epoch goes back too, so that the files loaded and carried over are those that belong to the position. What was
    loaded in a later epoch still counts as loaded, and no reset uses that epoch's number again. A field that only the
    current document has becomes null. A status of a run under way is shown as pending: that run is over. A document
    from before zones were noted is in the current one's.
    """
    content = {**dict.fromkeys(mark.content), **earlier.content}
    if content.get("timezone") is None:
        content.pop("timezone", None)
    for name in ("mysql_status", "redshift_status"):
        if content[name] == SideStatus.IN_PROGRESS:
            content[name] = SideStatus.PENDING
    kept = {name: value for name, value in content.items() if name not in OWN_FIELDS}
    return {**_files_wait(mark, placed=True), **kept}


def import_fields(document: Watermark, given: Iterable[str]) -> Patch:
    """`import`: the fields that a document gives, without those that belong to the store. given: their names."""
    names = frozenset(given)
    patch = {name: value for name, value in document.content.items() if name in names and name not in _NOT_IMPORTED}
    if "last_mysql_data_timestamp" not in patch:  # A zone says nothing without the point that it is of.
        patch.pop("timezone", None)
    return patch


def pin(owner: str, reason: str, now: datetime, until: datetime | None) -> Patch:
    """Extraction and edits are refused; times are UTC, until None: until it is unpinned."""
    return {
        "pin": {
            "owner": owner,
            "reason": reason,
            "until": until and format_instant(until),
            "at": format_instant(now.replace(microsecond=0)),
        }
    }


def unpin() -> Patch:
    """It may be moved again."""
    return {"pin": None}


def keep_highest_epoch(before: Mapping[str, Any], after: Json) -> Json:
    """The content after a change, which remembers the highest epoch where the change goes back to an earlier one."""
    highest = max(int(content.get(name, 0)) for content in (before, after) for name in ("epoch", "highest_epoch"))
    return {**after, "highest_epoch": highest} if highest > after["epoch"] else after


def _files_wait(mark: Watermark, loaded_to: datetime | None = None, *, placed: bool = False) -> Json:
    """New files wait for every warehouse.

    loaded_to: up to where rows had been read and loaded before; a warehouse that lacked some keeps what was noted of
    it, unless an operator placed the watermark: then what is before it counts as loaded.
    """
    to: Json = {"loaded_to": format_instant(loaded_to)} if loaded_to else {}
    warehouses = {}
    for warehouse, noted in mark.fields["warehouses"].items():
        restart = placed or noted.get("status") == SideStatus.SUCCESS
        kept = {name: value for name, value in noted.items() if not (restart and name == "loaded_to")}
        warehouses[warehouse] = {**kept, "status": SideStatus.PENDING, **(to if restart else {})}
    return {"redshift_status": SideStatus.PENDING, "warehouses": warehouses}


def _note_load(mark: Watermark, warehouse: str | None, noted: Json, *, default: bool) -> Json:
    """What a load leaves: for its warehouse, and in the fields of the document itself if that is the default profile's.

    noted: status, rows, loaded_at, error and profile, as far as they change.
    """
    names = {"status": "redshift_status", "rows": "redshift_rows_loaded", "loaded_at": "last_redshift_load_time"}
    patch: Json = {names[name]: value for name, value in noted.items() if name in names} if default else {}
    if default and "error" in noted:
        patch["last_error"] = noted["error"]
    if warehouse is not None:
        patch["warehouses"] = _with_warehouse(mark, warehouse, noted)
    return patch


def _with_warehouse(mark: Watermark, warehouse: str, noted: Patch) -> Json:
    """What is noted of every warehouse, with more of this one."""
    warehouses = mark.fields["warehouses"]
    return {**warehouses, warehouse: {**warehouses.get(warehouse, {}), **noted}}
