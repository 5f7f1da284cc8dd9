"""What the screen shows of one table: its watermark in words, its files with their verdicts. Reading it is slow."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct

from wmtui.model import TableName
from wmtui.service import (
    Consequence,
    Heartbeat,
    LoadNote,
    Look,
    Selection,
    Service,
    State,
    TableSeverity,
    Verdict,
    Watermark,
)
from wmtui.texts import count
from wmtui.tui.widgets.histogram import Histogram
from wmtui.tui.widgets.list_items import lag_bar
from wmtui.words import consequences, files, states, values, watermarks
from wmtui.words.last_verified import in_words
from wmtui.words.styled import Glyph, Tone
from wmtui.words.values import in_one_line

WHOLE_LINE = "\0"
"""Label of a line that has no label column."""
_SHOWN = {
    "table_name", "last_mysql_data_timestamp", "timezone", "mode", "mysql_status", "redshift_status",
    "mysql_rows_extracted", "redshift_rows_loaded", "last_error", "pin", "warehouses",
}  # fmt: skip
"""Fields that have a line in words."""
Fields = list[tuple[str, str, str]]
"""Label, text and kind of each."""


class Detail(Struct, frozen=True):
    """What was read of a table, and what is slow to derive from it. look: as the list shows it."""

    look: Look
    selection: Selection
    shown: Mapping[str, Sequence[Verdict]]
    histogram: Histogram | None
    fields: Sequence[tuple[str, str, str]]


def read(service: Service, table: TableName) -> Detail:
    """Read everything that the pane shows, except the history. Raises Unreadable and StoreError."""
    documents = service.documents(table)
    consequence = service.preview_edit(documents).current()
    selection = consequence.selection
    newest = sorted(selection.verdicts, key=lambda v: v.file.last_modified, reverse=True)
    kept = [verdict for verdict in newest if verdict.selected]
    dropped = [verdict for verdict in newest if not verdict.selected]
    shown = {"all": [*kept, *dropped], "kept": kept, "dropped": dropped}
    look = service.overview.counted(service.overview.of(documents), selection)
    return Detail(
        look=look,
        selection=selection,
        shown=shown,
        histogram=Histogram.of(selection),
        fields=fields(service, look, consequence),
    )


_TONES = {TableSeverity.OK: Tone.PLAIN, TableSeverity.WARN: Tone.WARN, TableSeverity.ERROR: Tone.BAD}


def fields(service: Service, look: Look, consequence: Consequence) -> list[tuple[str, str, str]]:
    """The watermark in words: label, text, kind."""
    mark, heartbeat, zone = look.mark, look.heartbeat, service.workspace.zone
    assert mark is not None
    assert heartbeat is not None
    f, status = mark.fields, look.status
    limit, verified = service.workspace.config(mark.table).freshness.error, in_words(status.verified)
    summary = consequence.selection.summary
    hint = files.hint(summary)
    own, *others = service.workspace.loads(mark)
    mysql, redshift = values.status(f["mysql_status"]), values.status(own.status)
    shown = [
        ("data up to", watermarks.point(mark, zone), "strong"),
        ("mode", watermarks.mode(mark, service.workspace.clock(), zone), ""),
        ("MySQL", f"{mysql}, {count(f['mysql_rows_extracted'], 'row')} extracted", mysql.tone),
        ("Redshift", f"{redshift}, {count(own.rows, 'row')} loaded", redshift.tone),
        *_elsewhere(others),
        ("lag", _lag(look, limit), ""),
        ("last success", values.instant(status.last_success), ""),
        ("next load", str(summary), ""),
        *([("", str(hint), hint.tone)] if hint.text else []),
        ("", consequences.start(consequence, zone), ""),
    ]
    if status.state is not State.FAILED and (why := states.why(mark.table, status.judgement)):
        shown.append(("state", why, _TONES[status.severity]))
    shown.append(("last verified", str(verified), verified.tone))
    if status.held_by:
        shown.insert(1, ("reading", status.held_by, "warn"))
    if f["last_error"]:
        shown.insert(1, ("last error", f["last_error"], "bad"))
    if look.status.phase:
        shown.insert(1, ("running", _run(look, heartbeat), "busy"))
    if f["pin"] is not None:
        shown.insert(1, ("pin", watermarks.pin(mark), "warn"))
    return [*shown, ("", "", ""), *_bookkeeping(service, mark)]


def aged(shown: Sequence[tuple[str, str, str]], look: Look, limit: timedelta, since: timedelta) -> Fields:
    """Fields some time after they were read: ages grow."""
    texts = {"lag": _lag(look, limit, since)}
    if look.heartbeat is not None and look.status.phase:
        texts["running"] = _run(look, look.heartbeat, since)
    return [(label, texts.get(label, text), kind) for label, text, kind in shown]


def _lag(look: Look, limit: timedelta, since: timedelta = timedelta(0)) -> str:
    lag, age = (None if length is None else length + since for length in (look.status.lag, look.status.judgement.age))
    return f"{values.span(lag)}  {lag_bar(age, limit, 8)}"


def _run(look: Look, heartbeat: Heartbeat, since: timedelta = timedelta(0)) -> str:
    status, age = look.status, values.span(heartbeat.age + since)
    return f"{Glyph.BUSY} {states.running(status)}, heard of {age} ago, lock {heartbeat.lease_id}"


def _elsewhere(others: Sequence[LoadNote]) -> Iterator[tuple[str, str, str]]:
    """Loads by other profiles that share the store."""
    for note in others:
        status = values.status(note.status)
        yield "", f"{status}, {count(note.rows, 'row')} loaded by profile {note.profile}", status.tone


def _bookkeeping(service: Service, mark: Watermark) -> Iterator[tuple[str, str, str]]:
    """The document's other fields, those of other tools too: the whole line is the text."""
    for name, value in watermarks.fields(mark, service.workspace.clock(), service.workspace.zone).items():
        if name not in _SHOWN:
            yield WHOLE_LINE, in_one_line(f"{name:26} {value}"), "dim"
