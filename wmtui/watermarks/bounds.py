"""What the fields of a watermark may hold: one set of bounds, for what is read and for what is about to be written."""

from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from wmtui.watermarks.documents import Json, is_deeper
from wmtui.watermarks.timestamps import parse_instant, parse_wall

VERSION = 3
"""Of documents written; older ones are read."""
TOO_LARGE = 10**12
"""No count gets there; keys of the journal have room for twelve digits, columns of the ledger for 18."""
_TOO_MANY_ROWS = 10**18
LONGEST_TEXT = 2_000
"""Characters of a text that wmtui itself puts into a document: an error, a reason."""
LARGEST = 8 * 2**20
"""Bytes of the fields that an operator hands in; what is in the store is read whatever its size."""
DEEPEST = 100
"""How far values nest; a change holds them a few levels deeper, which `documents.decode` has room for."""

_TIMES: Mapping[str, Callable[[str], object]] = {
    "last_mysql_data_timestamp": parse_wall,
    "last_mysql_extraction_time": parse_instant,
    "last_redshift_load_time": parse_instant,
    "load_floor": parse_instant,
    "placed": parse_instant,
}
_COUNTS = {
    "epoch": TOO_LARGE,
    "fence": TOO_LARGE,
    "highest_epoch": TOO_LARGE,
    "mysql_rows_extracted": _TOO_MANY_ROWS,
    "redshift_rows_loaded": _TOO_MANY_ROWS,
    "s3_file_count": _TOO_MANY_ROWS,
}
_TEXTS = ("mysql_status", "redshift_status", "backup_strategy")
_TEXTS_OR_NULL = {"pending_extraction": "a run", "extracted_run": "a run", "last_error": "a text"}


def document_problem(table: str, raw: Json) -> str | None:
    """Why a JSON object cannot be this table's watermark, or None."""
    if raw.get("table_name") != table:
        return f"it is the watermark of {raw.get('table_name')!r}, not of {table}"
    metadata = raw.get("metadata") or {}
    if not isinstance(metadata, dict):
        return "metadata is not an object"
    version = metadata.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        return f"it has version {version!r}; this wmtui reads up to {VERSION}"
    return wrong_field(raw) or wrong_count("serial", metadata.get("serial", 0))


def nesting_problem(raw: Json) -> str | None:
    """Why a watermark's own values, its last change aside, are nested too deeply, or None."""
    metadata = raw.get("metadata")
    own = {name: value for name, value in metadata.items() if name != "change"} if isinstance(metadata, dict) else {}
    return "it is nested too deeply" if is_deeper({**raw, "metadata": own}, DEEPEST) else None


def wrong_field(raw: Json) -> str | None:
    """The first known field whose value has a type, form or size it cannot have; fields may be missing."""
    for name, parse in _TIMES.items():
        value = raw.get(name)
        try:
            if value is not None:
                parse(value)
        except (TypeError, ValueError):
            return f"{name} is {value!r}, not a time"
    key = raw.get("last_processed_key")
    if key is not None and not (isinstance(key, list) and key and all(type(part) in (int, str) for part in key)):
        return f"last_processed_key is {key!r}, not a list of numbers and texts"
    for name, limit in _COUNTS.items():
        if problem := wrong_count(name, raw.get(name, 0), limit):
            return problem
    for name in _TEXTS:
        if not isinstance(raw.get(name, ""), str):
            return f"{name} is {raw[name]!r}, not a text"
    for name, what in _TEXTS_OR_NULL.items():
        if not isinstance(raw.get(name), str | None):
            return f"{name} is {raw[name]!r}, not {what}"
    return (
        _wrong_warehouses(raw.get("warehouses", {})) or _wrong_pin(raw.get("pin")) or _wrong_zone(raw.get("timezone"))
    )


def wrong_count(name: str, value: Any, limit: int = TOO_LARGE) -> str | None:
    """Why a value is no count below a limit, or None."""
    return None if type(value) is int and 0 <= value < limit else f"{name} is {value!r}, not a count"


def shortened(text: str) -> str:
    """A text as documents hold it: its beginning, of one that is too long."""
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…"


def with_short_texts(content: Json) -> Json:
    """A content about to be written, with the errors in it shortened: those of libraries have no bound."""
    changed = dict(content)
    if isinstance(content.get("last_error"), str):
        changed["last_error"] = shortened(content["last_error"])
    warehouses = content.get("warehouses")
    if isinstance(warehouses, dict):
        changed["warehouses"] = {
            warehouse: {**noted, "error": shortened(noted["error"])}
            if isinstance(noted, dict) and isinstance(noted.get("error"), str)
            else noted
            for warehouse, noted in warehouses.items()
        }
    return changed


def _wrong_warehouses(warehouses: Any) -> str | None:
    """Later loads go by what is noted of each."""
    if not (isinstance(warehouses, dict) and all(isinstance(noted, dict) for noted in warehouses.values())):
        return f"warehouses is {warehouses!r}, not what loads into each left"
    for noted in warehouses.values():
        if problem := wrong_count("rows of a warehouse", noted.get("rows", 0), _TOO_MANY_ROWS):
            return problem
        if not isinstance(noted.get("status", ""), str):
            return f"the status of a warehouse is {noted['status']!r}, not a text"
    return None


def _wrong_zone(name: Any) -> str | None:
    try:
        if name is not None:
            ZoneInfo(name)
    except (TypeError, ValueError, KeyError, OSError):
        return f"timezone is {name!r}, not a time zone that this host knows"
    return None


def _wrong_pin(pin: Any) -> str | None:
    """A pin that cannot be read may not be taken for none: an operator wants extraction kept out."""
    try:
        if pin is not None and pin.get("until"):
            parse_instant(pin["until"])
    except (AttributeError, TypeError, ValueError):
        return f"pin is {pin!r}, not an object with a time `until`"
    return None
