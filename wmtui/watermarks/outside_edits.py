"""Documents that another tool or a person edited, put back or removed: recognised by what their last change left."""

from wmtui.watermarks.documents import Json
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.model import Watermark, with_defaults

_OF_A_WRITE = ("version", "store", "serial", "write_id", "updated_at", "change")


def copied(mark: Watermark) -> Json:
    """The entry of a document's own change as the journal gets it: with the whole content, if it is to have that and
    the document was not edited since.
    """
    entry = mark.change or {}
    if not entry.get("whole") or not mark.unchanged_outside:
        return entry
    kept = {name: value for name, value in mark.fields["metadata"].items() if name not in _OF_A_WRITE}
    return {**entry, "after": mark.content, "metadata": kept}


def changed_outside(mark: Watermark, newest: Json | None) -> bool:
    """A document without serial, older than its journal, or with other fields than its own entry left.

    newest: the journal's newest entry after the document's serial.
    """
    return newest is not None or not mark.unchanged_outside


def content_before(journal: Journal, mark: Watermark, newest: Json | None) -> Json:
    """What a document changed outside held when wmtui last wrote it; empty when it never did. Raises Unreadable."""
    serial = newest["serial"] if newest else mark.serial
    return with_defaults(journal.left_by(serial)[0]) if serial else {}
