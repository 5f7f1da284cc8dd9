"""Committed files that are not loaded: which ones the next load takes, which ones none does, which were given up."""

from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from enum import IntEnum

from msgspec import Struct
from msgspec.structs import replace

from wmtui.files.selection import Selection
from wmtui.files.verdicts import Decision, Verdict, VerdictReason
from wmtui.model import Position
from wmtui.objects import ObjectStore
from wmtui.runs.run_document import Run
from wmtui.warehouses import LoadFile


class FileState(IntEnum):
    """What keeps a file out. A row of several files counts for the first of these."""

    NOT_LOADED = 0
    HELD_BACK = 1
    GIVEN_UP = 2


class Unloaded(Struct, frozen=True):
    """Files that one thing keeps out. own: those that runs committed, whose rows are known. others: keys. by, at, why:
    of who gave them up; None: they were not given up.
    """

    state: FileState
    own: tuple[LoadFile, ...]
    others: tuple[str, ...] = ()
    by: str | None = None
    at: datetime | None = None
    why: str | None = None


def unloaded(
    objects: ObjectStore, runs: Iterable[Run], selection: Selection, position: Position | None
) -> tuple[Unloaded, ...]:
    """What runs committed of rows up to the position, and no load took; and other files that are to be loaded.

    selection: every file's verdict by the ledger. A part without one is gone, which reading it tells.
    """
    if position is None:
        return ()
    due = {file.key: file for file in _due(objects, runs, position)}
    groups: dict[tuple[FileState, Decision | None], tuple[list[LoadFile], list[str]]] = {}
    verdicts = {verdict.file.key: verdict for verdict in selection.verdicts}
    for key in (*due, *(key for key, verdict in verdicts.items() if verdict.file.part is None)):
        decision = selection.decisions.files.get(key)
        state = _state(verdicts.get(key), decision)
        if state is None:
            continue
        decided = decision if state is FileState.GIVEN_UP else None
        own, others = groups.setdefault((state, decided and replace(decided, etag="")), ([], []))
        if key in due:
            own.append(due[key])
        else:
            others.append(key)
    return tuple(
        Unloaded(
            state=state,
            own=tuple(own),
            others=tuple(others),
            by=given_up.by if given_up else None,
            at=given_up.at if given_up else None,
            why=given_up.reason if given_up else None,
        )
        for (state, given_up), (own, others) in sorted(groups.items(), key=lambda item: item[0][0])
    )


def still_unloaded(unloaded: Iterable[Unloaded], loaded: Container[str]) -> tuple[Unloaded, ...]:
    """What is still unloaded, without the files that were loaded meanwhile, or that are gone. loaded: their keys."""
    return tuple(
        replace(
            each,
            own=tuple(file for file in each.own if file.key not in loaded),
            others=tuple(key for key in each.others if key not in loaded),
        )
        for each in unloaded
    )


def _due(objects: ObjectStore, runs: Iterable[Run], position: Position) -> Iterator[LoadFile]:
    for run in runs:
        for part in run.parts:
            if part.min_cursor <= position.cursor:
                yield LoadFile(key=part.key, uri=objects.uri(part.key), etag=part.etag, size=part.size, rows=part.rows)


def _state(verdict: Verdict | None, decision: Decision | None) -> FileState | None:
    """None for a file that is not missed: it is loaded, no run vouches for its rows, or it was never to be data."""
    if verdict is None:
        return FileState.NOT_LOADED if decision is None else FileState.GIVEN_UP
    if verdict.selected:
        return FileState.NOT_LOADED
    if verdict.held_back:
        return FileState.HELD_BACK
    is_own = verdict.file.part is not None
    given_up = verdict.reason is VerdictReason.WRITTEN_OFF or (verdict.reason is VerdictReason.SKIPPED and is_own)
    return FileState.GIVEN_UP if given_up else None
