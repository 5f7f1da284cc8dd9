"""The first line: where one is, what is wrong, and how old what is shown is."""

import os
from datetime import timedelta

from msgspec import Struct
from rich.cells import cell_len

from wmtui.config import Settings
from wmtui.service import State, TableSeverity
from wmtui.texts import count
from wmtui.tui.state.table_list import TableListState
from wmtui.tui.widgets.cells import Line
from wmtui.words import values
from wmtui.words.styled import Tone


class StatusBarState(Struct, frozen=True):
    """seen: how long ago the tables were read; None: not yet. offline: why they could not be, "" if they could.

    retry: seconds until the next try. reading: tables are being read now.
    """

    seen: timedelta | None = None
    offline: str = ""
    retry: int = 0
    reading: bool = False
    read_only: bool = False
    locked: bool = False


def status_line(
    settings: Settings, table_state: TableListState, now: StatusBarState, width: int, host_and_time: str = ""
) -> Line:
    """The line; the right end says what may be changed. Without room, the place goes first, then lesser problems."""
    name = settings.profile_name
    head: Line = [("wmtui ", "strong"), (f" {name} ", "bad" if settings.profile.protected else "good")]
    place: Line = [(f" {_place(settings.store.root)}  ", "dim")]
    found = _problems(table_state)
    tail = [*_under_way(table_state), (" · ", "dim"), *_seen(now)]
    right = _right(settings, now, host_and_time)

    def left() -> Line:
        return [*head, *place, (count(len(table_state.tables), "table"), ""), *found, *tail]

    room = width - _width(right)
    while _width(left()) > room and (place or found):
        if place:
            place.clear()
        else:
            del found[-2:]
    return [*left(), (" " * max(1, room - _width(left())), ""), *right]


def _width(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def _problems(table_state: TableListState) -> Line:
    counts, line = table_state.problems(), []
    for problem in (*State, TableSeverity.WARN):
        if problem in counts:
            kind = Tone.WARN if problem is TableSeverity.WARN else Tone.BAD
            line += [(" · ", "dim"), (f"{counts[problem]:,} {problem}", kind)]
    return line


def _under_way(table_state: TableListState) -> Line:
    line: Line = []
    if table_state.running or table_state.queued:
        waiting = f", {len(table_state.queued)} waiting" if table_state.queued else ""
        line += [(" · ", "dim"), (f"▸ {len(table_state.running)} syncing{waiting}", "busy")]
    if elsewhere := len(table_state.runs_elsewhere()):
        line += [(" · ", "dim"), (f"▸ {elsewhere} running elsewhere", "busy")]
    return line


def _place(root: str) -> str:
    """Where the store is; the user's home folder is `~`, as in a shell's prompt."""
    home = os.environ.get("HOME") or "/"
    return f"~{root.removeprefix(home)}" if root.startswith(f"{home}/") else root


def _seen(now: StatusBarState) -> Line:
    if now.offline:
        return [(f"✗ offline, again in {now.retry} s", "bad")]
    if now.seen is None:
        return [("reading…", "busy")]
    return [(f"seen {values.span(now.seen)} ago", "dim"), (" reading…" if now.reading else "", "busy")]


def _right(settings: Settings, now: StatusBarState, host_and_time: str) -> Line:
    if host_and_time:
        return [(host_and_time, "dim")]
    if now.read_only:
        return [("read-only", "warn")]
    if settings.profile.protected:
        return [("PROTECTED, read-only" if now.locked else "PROTECTED, changes are live", "bad")]
    return []
