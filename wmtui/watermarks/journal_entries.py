"""One change of a watermark, as the document that it left and the journal hold it.

An entry has the fields that changed, each with the value before and after (no value: the field was not there), so that
a large field that stays costs nothing. Some entries in the journal hold the whole content after the change too, from
which the others are told. Entries of the older format have the whole content before and after instead of the fields.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from wmtui.watermarks.bounds import TOO_LARGE, wrong_count, wrong_field
from wmtui.watermarks.documents import Json

WHOLE_EVERY = 50
"""So many changes at most have to be put together to tell what one of them left."""
_WHOLE_OLD = ("before", "after")


def changed_fields(before: Json, after: Json) -> Json:
    """The fields that differ, each with what it was and is."""
    names = [*after, *(name for name in before if name not in after)]
    return {
        name: {side: content[name] for side, content in (("before", before), ("after", after)) if name in content}
        for name in names
        if (name in before) != (name in after) or not _same(before[name], after[name])
    }


def applied(content: Json, entry: Json) -> Json:
    """The content that a change leaves of the one before it."""
    return dict(entry["after"]) if "after" in entry else _replaced(content, entry["changed"], "after")


def taken_back(content: Json, entry: Json) -> Json:
    """The content before a change, of the one that it left."""
    return dict(entry["before"]) if "before" in entry else _replaced(content, entry["changed"], "before")


def is_whole(entry: Json) -> bool:
    """It tells what it left without any other entry."""
    return "after" in entry


def is_whole_due(serial: int, previous: int) -> bool:
    """Whether the entry of a serial is to hold the whole content. previous: the serial before; 0: it is the first."""
    return previous == 0 or serial // WHOLE_EVERY != previous // WHOLE_EVERY


def numbers(entry: Json) -> Json:
    """Epoch and fence after a change, which never go back, whatever else of it is lost."""
    content = entry.get("after", entry)
    return {name: content[name] for name in ("epoch", "fence", "highest_epoch") if name in content}


def previous_of(entry: Json) -> int:
    """The serial of the change before; serials that no change can use are left out."""
    return int(entry.get("previous", entry["serial"] - 1))


def digest(content: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What tells a content from another. new: that of a new table; a field that a later version adds is as there."""
    compared = {name: value for name, value in content.items() if name not in new or not _same(value, new[name])}
    return hashlib.sha256(_canonical(compared)).hexdigest()


def field_changes(entry: Json) -> dict[str, tuple[Any, Any]]:
    """The fields that a change changed, each with its old and new value, as `difference` tells them."""
    if "changed" not in entry:
        return difference(entry["before"], entry["after"])
    return _told({name: (sides.get("before"), sides.get("after")) for name, sides in entry["changed"].items()})


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The fields that differ between two contents, each with its old and new value; None where it was not there.

    A time zone that is noted for the first time is none of them: it is the one that the document was in.
    """
    names = [*after, *(name for name in before if name not in after)]
    return _told({name: (before.get(name), after.get(name)) for name in names})


def _told(changes: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    changed = {name: (old, new) for name, (old, new) in changes.items() if old != new}
    if "timezone" in changed and changed["timezone"][0] is None:
        del changed["timezone"]
    return changed


def entry_problem(entry: Json, serial: int) -> str | None:
    """Why a JSON object cannot be the journal entry of this serial, or None."""
    if entry.get("serial") != serial:
        return f"it is the entry of serial {entry.get('serial')!r}"
    if "changed" not in entry:
        return _wrong_contents(entry, _WHOLE_OLD)
    bounds = {"epoch": TOO_LARGE, "fence": TOO_LARGE, "highest_epoch": TOO_LARGE, "previous": min(serial, TOO_LARGE)}
    problems = (wrong_count(name, entry.get(name, 0), bound) for name, bound in bounds.items())
    whole = ("after",) if is_whole(entry) else ()
    return next(filter(None, problems), None) or _wrong_changes(entry) or _wrong_contents(entry, whole)


def _wrong_changes(entry: Json) -> str | None:
    changed = entry["changed"]
    if not isinstance(changed, dict) or not all(isinstance(sides, dict) for sides in changed.values()):
        return f"`changed` is {changed!r}, not fields with their values"
    for side in ("before", "after"):
        if wrong := wrong_field({name: sides[side] for name, sides in changed.items() if side in sides}):
            return f"{side} the change, {wrong}"
    return None


def _wrong_contents(entry: Json, names: tuple[str, ...]) -> str | None:
    for name in names:
        content = entry.get(name)
        if not isinstance(content, dict):
            return f"`{name}` is {content!r}, not a document"
        if wrong := wrong_field(content):
            return f"in `{name}`, {wrong}"
    return None


def _replaced(content: Json, changed: Json, side: str) -> Json:
    kept = {name: value for name, value in content.items() if name not in changed}
    return {**kept, **{name: sides[side] for name, sides in changed.items() if side in sides}}


def _same(one: Any, other: Any) -> bool:
    """As JSON: 1 is neither true nor 1.0."""
    return one is other or (one == other and _canonical(one) == _canonical(other))


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
