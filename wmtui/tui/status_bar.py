"""The first line: where one is, what is wrong, and how old what is shown is."""

from datetime import timedelta

from msgspec import Struct
from rich.cells import cell_len

from wmtui.config import Settings
from wmtui.service import wording
from wmtui.tui.board import Board
from wmtui.tui.cells import Line


class Situation(Struct, frozen=True):
    """seen: how long ago the tables were read; None: not yet. offline: why they could not be, "" if they could.

    retry: seconds until the next try. reading: tables are being read now.
    """

    seen: timedelta | None = None
    offline: str = ""
    retry: int = 0
    reading: bool = False
    read_only: bool = False
    locked: bool = False


_ORDER = ("unreadable", "failed", "interrupted", "held back", "stale", "never synced")


def status_line(settings: Settings, board: Board, now: Situation, width: int, host_and_time: str = "") -> Line:
    """The line; the right end says what may be changed."""
    name = settings.profile_name
    left: Line = [("wmtui ", "strong"), (f" {name} ", "bad" if settings.profile.protected else "good")]
    left.append((f" {settings.store.root}  ", "dim"))
    left.append((wording.count(len(board.tables), "table"), ""))
    problems = board.problems()
    for problem in _ORDER:
        if problems[problem]:
            kind = "bad" if problem in ("failed", "unreadable", "interrupted") else "warn"
            left += [(" · ", "dim"), (f"{problems[problem]:,} {problem}", kind)]
    busy = len(board.running)
    if busy or board.queued:
        waiting = f", {len(board.queued)} waiting" if board.queued else ""
        left += [(" · ", "dim"), (f"▸ {busy} syncing{waiting}", "busy")]
    if elsewhere := len(board.runs_elsewhere()):
        left += [(" · ", "dim"), (f"▸ {elsewhere} running elsewhere", "busy")]
    left += [(" · ", "dim"), *_seen(now)]
    right = _right(settings, now, host_and_time)
    room = width - sum(cell_len(text) for text, _ in right)
    while sum(cell_len(text) for text, _ in left) > room and len(left) > 4:
        left.pop(2 if len(left) > 5 and left[2][0].strip() == settings.store.root else -3)
    used = sum(cell_len(text) for text, _ in left)
    return [*left, (" " * max(1, room - used), ""), *right]


def _seen(now: Situation) -> Line:
    if now.offline:
        return [(f"✗ offline, again in {now.retry} s", "bad")]
    if now.seen is None:
        return [("reading…", "busy")]
    return [(f"seen {wording.span(now.seen)} ago", "dim"), (" reading…" if now.reading else "", "busy")]


def _right(settings: Settings, now: Situation, host_and_time: str) -> Line:
    if host_and_time:
        return [(host_and_time, "dim")]
    if now.read_only:
        return [("read-only", "warn")]
    if settings.profile.protected:
        return [("PROTECTED, read-only" if now.locked else "PROTECTED, changes are live", "bad")]
    return []
