"""How tables, files, changes and log lines look as lines of text, so many cells wide."""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from rich.cells import cell_len

from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Selection, State, TableProgress, Verdict
from wmtui.tui.state.table_list import TableListState
from wmtui.tui.widgets.cells import Line, columns, fit, fit_middle
from wmtui.words import files, states, values
from wmtui.words.styled import Glyph, Styled

WIDE, WIDEST = 50, 88
"""From so many cells on a line of the table list has a word for how the table is, then a word for each side too."""


class _Cells(NamedTuple):
    """The texts of a line of the table list."""

    name: str = "Table"
    mysql: Styled = Styled("MySQL")
    redshift: Styled = Styled("Redshift")
    state: Styled = Styled("State")
    lag: str = "Lag"
    bar: str = ""
    files: str = "Files"
    success: str = "Last success"


_HEADING = _Cells()


def table_header(width: int) -> Line:
    """The names of the columns of `table_line`."""
    cells = _layout(width, _HEADING)
    return columns([(text, cell, "dim") for text, cell, _ in cells])


def table_line(table_state: TableListState, table: TableName, clock: float, width: int) -> Line:
    """One table of the list. clock: monotonic seconds."""
    name = ("● " if table in table_state.marked else "") + str(table)
    progress, look = table_state.running.get(table), table_state.looks.get(table)
    if progress is not None:
        return _busy(name, _how_far(progress, clock), width)
    if table in table_state.queued:
        return _busy(name, "· waiting for its turn", width)
    if look is None:
        return _busy(name, "…", width, "dim")
    status = look.status
    if look.mark is None:
        way_out = ", u brings it back" if status.state is State.GONE else ""
        return _busy(name, f"{states.label(status)}{way_out}", width, "bad")
    if status.phase:
        return _busy(name, f"{Glyph.BUSY} {states.running(status)}", width)
    limit = table_state.settings.tables[table].freshness.error
    interrupted = Styled.marked(Glyph.WARN, State.INTERRUPTED)
    mysql = interrupted if status.state is State.INTERRUPTED else values.status(status.mysql_status)
    run_age, age = status.judgement.run_age, status.judgement.age
    success = "never" if run_age is None else values.span(run_age)
    waiting = "" if look.waiting is None else f"{look.waiting:,}"
    lag, bar = short_span(status.lag), lag_bar(age, limit)
    redshift = values.status(status.redshift_status)
    cells = _Cells(name, mysql, redshift, states.label(status), lag, bar, waiting, success)
    late = age is not None and age >= limit
    return columns(
        [(text, cell, "warn" if late and text == bar and bar else kind) for text, cell, kind in _layout(width, cells)]
    )


def _layout(width: int, cells: _Cells) -> list[tuple[str, int, str]]:
    """Text, width and kind of each cell; the name takes what the others leave. A negative width aligns right."""
    c, wide, widest = cells, width >= WIDE, width >= WIDEST
    layout: list[tuple[str, int, str]] = [
        *(_short_or_long(side, 13 if widest else 1) for side in (c.mysql, c.redshift)),
        _short_or_long(c.state, 14 if wide else 1),
        (c.lag, -3, ""),
        (c.bar if wide else c.bar[:1], 4 if wide else 1, "dim"),
        (c.files, -5, ""),
    ]
    if widest:
        layout.append((c.success, -12, ""))
    rest = width - sum(abs(cell) + 1 for _, cell, _ in layout)
    return [(fit_middle(c.name, rest), rest, ""), *layout]


def _short_or_long(styled: Styled, width: int) -> tuple[str, int, str]:
    """A cell with the whole text, or in one cell its glyph, of a heading its first letter."""
    text = str(styled) if width > 1 else styled.glyph or styled.text[:1]
    return text, width, styled.tone


def _name_width(width: int) -> int:
    return _layout(width, _HEADING)[0][1]


def _busy(name: str, text: str, width: int, kind: str = "busy") -> Line:
    first = _name_width(width)
    return columns([(fit_middle(name, first), first, ""), (text, max(0, width - first - 1), kind)])


_TELLING_SECONDS = 1.0
"""A speed says nothing before."""


def _how_far(progress: TableProgress, clock: float) -> str:
    p = progress.progress
    tells = clock - progress.phase_began >= _TELLING_SECONDS and progress.rate(clock)
    rate = f" {progress.rate(clock):,}/s" if tells else ""
    return f"▸ {p.phase.value} {p.rows:,}{rate} {clock - progress.began:.0f}s"


def short_span(length: timedelta | None) -> str:
    """A length of time in at most three cells: `45s`, `12m`, `5h`, `4d`."""
    if length is None:
        return values.ABSENT
    seconds = int(length.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{min(seconds // size, 99)}{unit}"
    return f"{seconds}s"


def lag_bar(lag: timedelta | None, limit: timedelta, width: int = 4) -> str:
    """How much of the allowed age the lag is; full: at the limit or over it."""
    if lag is None or not limit:
        return ""
    halves = min(int(lag / limit * width * 2) + 1, width * 2)
    return "━" * (halves // 2) + "╸" * (halves % 2)


_NARROW_FILE = 50
"""Below, a file's size gives way to the reason."""


def file_line(verdict: Verdict, selection: Selection, width: int) -> Line:
    """A file with its verdict: next, loaded, held back or out, when, why, and as much of its name as fits."""
    why = selection.explain(verdict)
    at = values.instant(verdict.file.last_modified)[5:-1].replace("T", " ")
    name = verdict.file.key.rsplit("/", 1)[-1]
    label = files.label(verdict)
    if width < _NARROW_FILE:
        return columns([(label.glyph or "", 1, label.tone), (at, 14, ""), (why, width - 17, "")])
    head = [(str(label), 11, label.tone), (at, 14, ""), (values.size(verdict.file.size), -8, "")]
    used = sum(abs(cell) + 1 for _, cell, _ in head)
    if width - used < 60:
        return columns([*head, (why, width - used, "")])
    reason = min(46, (width - used) // 2)
    return columns(
        [*head, (why, reason, ""), (fit_middle(name, width - used - reason - 1), width - used - reason - 1, "dim")]
    )


class LogLine(Struct, frozen=True):
    """A line of the sync log. at: aware UTC."""

    at: datetime
    severity: Severity
    table: str
    text: str

    def __str__(self) -> str:
        about = f"{self.table}: " if self.table else ""
        return f"{values.instant(self.at)} {self.severity.value.upper():7} {about}{self.text}"


_KIND_OF_SEVERITY = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.DEBUG: "dim", Severity.INFO: ""}


def log_line(line: LogLine, width: int) -> Line:
    """A line of the sync log."""
    kind = _KIND_OF_SEVERITY[line.severity]
    name = line.table.rsplit(".", 1)[-1] if width < 90 else line.table
    cells = [(f"{line.at:%H:%M:%S}", 8, "dim"), (line.severity.value, 7, kind)]
    if name:
        cells.append((fit_middle(name, min(cell_len(name), 34)), min(cell_len(name), 34), "dim"))
    used = sum(cell + 1 for _, cell, _ in cells)
    return columns([*cells, (fit(line.text, max(0, width - used)), max(0, width - used), kind)])
