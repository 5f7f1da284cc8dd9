"""The lock document of a table: who holds it, and what runs left for the next one. Every field has its type here.

Written by the lease, for other runs that want the table: token, owner … held_since, renewed, write_id.
By `wmtui unlock`, for the run whose lease it breaks: broken.
By a sync at its end, for `status`: last_run, last_success.
By an extraction, for the next one: committed_run, newest_key, extracted_to, extracted_behind, extracted_from,
clock_read, clock_back, held_by.
By a load, for the next one and for previews: recorded_in, settled_in, listed_in, target_columns.
By a sync at its end, for the next one: journalled, unchanged_in; before it loads: compared_in.
By decisions about single files, for selection: decisions. A table without any costs no request.
By a comparison with the source, beside a lease too, for `status`: last_verified.

Fields that this version does not know are kept. A note that it cannot read counts as not made, and the next write
leaves it out.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec import Struct

from wmtui.errors import Unreadable
from wmtui.watermarks import documents
from wmtui.watermarks.bounds import wrong_count
from wmtui.watermarks.documents import Json
from wmtui.watermarks.timestamps import format_instant, parse_instant


class SyncOutcome(StrEnum):
    """How a sync of the table ended. REFUSED: the table is as it was, and an operator or another run is to act."""

    SUCCESS = "success"
    FAILED = "failed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


class LastRun(Struct, frozen=True):
    """How the last sync ended. at: aware UTC. rows: loaded, or extracted where nothing was to be loaded."""

    at: datetime
    outcome: str
    rows: int
    error: str | None = None

    def as_json(self) -> Json:
        """As the document has it."""
        return {"at": format_instant(self.at), "outcome": str(self.outcome), "rows": self.rows, "error": self.error}


class Broken(Struct, frozen=True):
    """Who broke the lease of which run, as text. at: an instant."""

    run: str
    by: str
    host: str
    at: str
    reason: str | None = None

    def as_json(self) -> Json:
        """As the document has it."""
        return {name: getattr(self, name) for name in self.__struct_fields__}


class LockDocument(Struct, frozen=True, kw_only=True):
    """One table's lock document; times are aware UTC, None: not noted.

    owner None: the table is free. extracted_to: up to where the source was read after the position
    `extracted_behind`; extracted_from: below it rows could not appear any more. clock_back: the position at which the
    source's clock was seen to have gone back. decisions: serial of the decisions about files; None: not known.
    recorded_in, settled_in, listed_in, unchanged_in: by the id of a warehouse. target_columns: by profile.
    compared_in: by the id of a warehouse, the last token whose run compared what that has with this store; "" stands
    for every other one. Empty: no run looked.
    last_verified: by the id of a warehouse. journalled: the watermark's document of which all changes are in the
    journal. extra: fields of other versions.
    """

    token: int = 0
    owner: str | None = None
    host: str | None = None
    pid: int | None = None
    run: str | None = None
    phase: str | None = None
    rows: int = 0
    acquired: datetime | None = None
    renewed: datetime | None = None
    last_run: LastRun | None = None
    last_success: datetime | None = None
    extracted_to: datetime | None = None
    extracted_behind: list[Any] | None = None
    clock_back: list[Any] | None = None
    newest_key: int | None = None
    held_by: str | None = None
    extracted_from: datetime | None = None
    clock_read: datetime | None = None
    batch: str | None = None
    held_since: datetime | None = None
    decisions: int | None = None
    last_verified: dict[str, Json] = {}
    committed_run: str | None = None
    recorded_in: dict[str, str] = {}
    settled_in: dict[str, Json] = {}
    listed_in: dict[str, Json] = {}
    unchanged_in: dict[str, Json] = {}
    compared_in: dict[str, int] = {}
    journalled: Json = {}
    target_columns: dict[str, Json] = {}
    broken: Broken | None = None
    write_id: str | None = None
    extra: Json = {}

    @classmethod
    def decode(cls, key: str, data: bytes) -> "LockDocument":
        """Read a document; raises Unreadable with its key and the reason."""
        raw = documents.decode(key, data)
        try:
            return cls.of(raw)
        except (TypeError, ValueError) as error:
            raise Unreadable(key, f"not a lock document: {error}") from None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> "LockDocument":
        """A document from its JSON. Raises ValueError or TypeError for a field that leases or reading go by; of others
        a value that cannot be read counts as not noted.
        """
        for name in ("token", "rows"):
            if problem := wrong_count(name, raw.get(name, 0)):
                raise ValueError(problem)
        known = {name: read(raw[name]) for name, read in _READERS.items() if name in raw}
        return cls(**known, extra={name: value for name, value in raw.items() if name not in _READERS})

    def encode(self) -> bytes:
        """The document as JSON text."""
        fields = {name: _written(getattr(self, name)) for name in _READERS}
        known = {name: value for name, value in fields.items() if value is not None or name not in _OPTIONAL}
        return documents.encode({**known, **self.extra})


_OPTIONAL = frozenset(
    (
        "committed_run",
        "recorded_in",
        "settled_in",
        "listed_in",
        "unchanged_in",
        "compared_in",
        "journalled",
        "target_columns",
        "broken",
        "write_id",
    )
)
"""Fields that a document without a value does not have; it has every other one."""


def _written(value: Any) -> Any:
    """A field's value as JSON has it; an empty mapping is none."""
    if isinstance(value, datetime):
        return format_instant(value)
    if isinstance(value, LastRun | Broken):
        return value.as_json()
    return None if value == {} else value


def _count(value: Any) -> int:
    return int(value)


def _instant(value: Any) -> datetime | None:
    return parse_instant(value) if value else None


def _instant_or_none(value: Any) -> datetime | None:
    try:
        return _instant(value)
    except (TypeError, ValueError):
        return None


def _name(value: Any) -> str | None:
    """Of the holder: whatever is there, the table is held."""
    return None if value is None else str(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> int | None:
    return value if type(value) is int else None


def _list(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None


def _texts(value: Any) -> dict[str, str]:
    items = value if isinstance(value, dict) else {}
    return {name: text for name, text in items.items() if isinstance(text, str)}


def _counts(value: Any) -> dict[str, int]:
    items = value if isinstance(value, dict) else {}
    return {name: count for name, count in items.items() if not wrong_count(name, count)}


def _objects(value: Any) -> dict[str, Json]:
    items = value if isinstance(value, dict) else {}
    return {name: item for name, item in items.items() if isinstance(item, dict)}


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _last_run(value: Any) -> LastRun | None:
    try:
        return LastRun(
            at=parse_instant(value["at"]),
            outcome=str(value["outcome"]),
            rows=int(value["rows"]),
            error=_text(value.get("error")),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _broken(value: Any) -> Broken | None:
    try:
        return Broken(
            run=str(value["run"]),
            by=str(value["by"]),
            host=str(value["host"]),
            at=str(value["at"]),
            reason=_text(value.get("reason")),
        )
    except (KeyError, TypeError):
        return None


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "token": _count,
    "owner": _name,
    "host": _name,
    "pid": _number,
    "run": _name,
    "phase": _name,
    "rows": _count,
    "acquired": _instant_or_none,
    "renewed": _instant_or_none,
    "last_run": _last_run,
    "last_success": _instant,
    "extracted_to": _instant,
    "extracted_behind": _list,
    "clock_back": _list,
    "newest_key": _number,
    "held_by": _text,
    "extracted_from": _instant,
    "clock_read": _instant,
    "batch": _text,
    "held_since": _instant,
    "decisions": _number,
    "last_verified": _objects,
    "committed_run": _text,
    "recorded_in": _texts,
    "settled_in": _objects,
    "listed_in": _objects,
    "unchanged_in": _objects,
    "compared_in": _counts,
    "journalled": _object,
    "target_columns": _objects,
    "broken": _broken,
    "write_id": _text,
}
"""How each field is read from JSON."""
