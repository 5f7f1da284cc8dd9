"""Committed files that are not loaded: which ones the next load takes, which ones none does, which were given up."""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from enum import IntEnum

from msgspec import Struct
from msgspec.structs import replace

from wmtui.files.runs import Run
from wmtui.files.verdicts import TIMED_OUT, Reason, Verdict
from wmtui.model import Position
from wmtui.objects import ObjectStore
from wmtui.warehouses import LoadFile


class FileState(IntEnum):
    """What keeps a file out. A row of several files counts for the first of these."""

    NOT_LOADED = 0
    HELD_BACK = 1
    GIVEN_UP = 2


class GivenUp(Struct, frozen=True, order=True):
    """Who gave files up, when, and why."""

    by: str
    at: datetime
    why: str


class Unloaded(Struct, frozen=True):
    """Files that one thing keeps out. own: those that runs committed, whose rows are known."""

    state: FileState
    own: tuple[LoadFile, ...]
    others: tuple[str, ...] = ()
    given_up: GivenUp | None = None


def unloaded(
    objects: ObjectStore, runs: Iterable[Run], verdicts: Iterable[Verdict], position: Position | None
) -> tuple[Unloaded, ...]:
    """What runs committed of rows up to the position, and no load took; and other files that are to be loaded.

    verdicts: of all files, by the ledger. A part without a verdict is gone, which reading it tells.
    """
    if position is None:
        return ()
    due = {file.key: file for file in _due(objects, runs, position)}
    found: dict[tuple[FileState, GivenUp | None], tuple[list[LoadFile], list[str]]] = {}
    gone = set(due)
    for verdict in verdicts:
        key = verdict.file.key
        gone.discard(key)
        state = _state(verdict)
        if state is None or (verdict.file.part is not None and key not in due):
            continue
        own, others = found.setdefault((state, None), ([], []))
        if key in due:
            own.append(due[key])
        else:
            others.append(key)
    if gone:
        found.setdefault((FileState.NOT_LOADED, None), ([], []))[0].extend(due[key] for key in sorted(gone))
    return tuple(
        Unloaded(state, tuple(own), tuple(others), given_up)
        for (state, given_up), (own, others) in sorted(found.items(), key=lambda item: item[0][0])
    )


def still(found: Iterable[Unloaded], loaded: Container[str]) -> tuple[Unloaded, ...]:
    """The same without the files that were loaded meanwhile, or that are gone. loaded: their keys."""
    return tuple(
        replace(
            each,
            own=tuple(file for file in each.own if file.key not in loaded),
            others=tuple(key for key in each.others if key not in loaded),
        )
        for each in found
    )


def _due(objects: ObjectStore, runs: Iterable[Run], position: Position) -> Iterator[LoadFile]:
    for run in runs:
        for part in run.parts:
            if part.min_cursor <= position.cursor:
                yield LoadFile(part.key, objects.uri(part.key), part.etag, part.size, part.rows)


def _state(verdict: Verdict) -> FileState | None:
    """None for a file that nobody misses: it is loaded, or no run vouches for its rows."""
    if verdict.selected or verdict.reason is Reason.REPLACED:
        return FileState.NOT_LOADED
    return FileState.HELD_BACK if verdict.reason in TIMED_OUT else None
