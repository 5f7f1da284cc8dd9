"""Right, left out or not right: what a comparison's counts mean, and what mends each. Pure rules."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from wmtui.config import TableConfig
from wmtui.model import TableName
from wmtui.sources import SourceTable
from wmtui.sources.cursor import from_utc
from wmtui.verify.expected_rows import FIRST_GAP, Gap
from wmtui.verify.gap_causes import SYSTEM, Placed
from wmtui.verify.result import LeftOut, Problem, ProblemReason
from wmtui.verify.row_differences import NOWHERE, Outcome
from wmtui.verify.unloaded_files import FileState, Unloaded
from wmtui.watermarks.timestamps import format_instant, format_wall

FIRST_FILES = 2**15
"""The part of rows in the first of the unloaded files; the others follow. Below it are the gaps."""
_EPOCH = datetime(1970, 1, 1)


class Case(Struct, frozen=True):
    """What was compared. unloaded: still, at the end. future: rows with a cursor in the future. refused: the next load
    is, until an operator accepts the target as it is.
    """

    table: SourceTable
    config: TableConfig
    zone: ZoneInfo
    gaps: Sequence[Gap]
    unloaded: Sequence[Unloaded]
    placed: Mapping[Gap, Placed]
    outcome: Outcome
    future: int
    refused: bool

    @property
    def name(self) -> TableName:
        """The table's."""
        return self.table.table


def problems(case: Case) -> tuple[Problem, ...]:
    """Every reason why the warehouse is not right."""
    return (*_wrong_rows(case), *_kept_out(case), *_unknown(case), *_cursors(case))


def left_out(case: Case) -> tuple[LeftOut, ...]:
    """What an operator left out, and who did."""
    return (*_before_points(case), *_given_up(case), *_without_cursor(case))


def _wrong_rows(case: Case) -> Iterator[Problem]:
    counts, name = case.outcome.counts, case.name
    step, commands = _read_again(case, case.outcome.lowest)
    if counts.missing:
        what = f"{_rows(counts.missing)} missing"
        yield _wrong(ProblemReason.MISSING, counts.missing, what, step, commands)
    if counts.differing:
        what = f"{_rows(counts.differing)} differing"
        yield _wrong(ProblemReason.DIFFERING, counts.differing, what, step, commands)
    listed = f"wmtui verify -t {name} --examples 1000 --json"
    if counts.extra:
        step = f"if they were deleted in the source, delete them in {case.config.target} too; `{listed}` lists them"
        what = f"{_rows(counts.extra)} not in the source"
        yield _wrong(ProblemReason.EXTRA, counts.extra, what, step, (listed,))
    if counts.doubled:
        step = f"delete all but one of each in {case.config.target}; `{listed}` lists them"
        what = f"{_rows(counts.doubled)} doubled"
        yield _wrong(ProblemReason.DOUBLED, counts.doubled, what, step, (listed,))


def _wrong(reason: ProblemReason, rows: int, what: str, step: str, commands: tuple[str, ...] = ()) -> Problem:
    """A problem of rows, of no file in particular."""
    return Problem(reason=reason, rows=rows, what=what, next_step=step, commands=commands)


def _kept_out(case: Case) -> Iterator[Problem]:
    name = case.name
    for number, group in enumerate(case.unloaded):
        files, rows = _count(group), case.outcome.parts[FIRST_FILES + number]
        lacking = f"with {_count_rows(rows)} that the warehouse lacks"
        if group.state is FileState.NOT_LOADED and files:
            load = f"wmtui sync -t {name} --redshift-only"
            yield Problem(
                reason=ProblemReason.NOT_LOADED,
                rows=rows,
                files=files,
                what=f"{_files(files)} not loaded, {lacking}",
                next_step=f"`{load}` loads them",
                commands=(load,),
            )
        elif group.state is FileState.HELD_BACK and files:
            keys = [*(file.key for file in group.own), *group.others]
            named = "".join(f" --key {key}" for key in keys[:_NAMED]) + (" --key …" if files > _NAMED else "")
            load = f"wmtui sync -t {name} --redshift-only --reprocess{named}"
            give_up = f"wmtui files -t {name} --write-off --reason …"
            step = f"`{load}` loads them; `{give_up}` gives them up; `wmtui files -t {name}` says why"
            yield Problem(
                reason=ProblemReason.HELD_BACK,
                rows=rows,
                files=files,
                what=f"{_files(files)} held back, {lacking}",
                next_step=step,
                commands=(load, give_up),
            )


_NAMED = 3


def _unknown(case: Case) -> Iterator[Problem]:
    parts = [part for part, gap in enumerate(case.gaps, FIRST_GAP) if gap not in case.placed]
    rows = sum(case.outcome.parts[part] for part in parts)
    if rows:
        lowest = min((low for part in parts if (low := case.outcome.lowest_of.get(part)) is not None), default=None)
        step, commands = _read_again(case, lowest)
        what = f"{_rows(rows)} absent and not left out on purpose, and no run document says that they were read"
        yield _wrong(ProblemReason.UNKNOWN, rows, what, f"restore the run documents, or: {step}", commands)


def _cursors(case: Case) -> Iterator[Problem]:
    cursor, nulls = case.table.cursor, case.outcome.parts[NOWHERE]
    if case.future:
        what = f"{_rows(case.future)} in the source with a {cursor} in the future, which no sync reads before that time"
        step = "correct them, and the zone that the application writes in"
        yield _wrong(ProblemReason.FUTURE_CURSOR, case.future, what, step)
    if nulls and case.config.null_cursor == "error":
        what = f"{_rows(nulls)} in the source without a {cursor}, which no sync reads"
        yield _wrong(ProblemReason.NULL_CURSOR, nulls, what, f"give every row a {cursor}")


def _before_points(case: Case) -> Iterator[LeftOut]:
    for part, gap in enumerate(case.gaps, FIRST_GAP):
        placed, rows = case.placed.get(gap), case.outcome.parts[part]
        if placed is None or not rows:
            continue
        step, commands = _read_again(case, case.outcome.lowest_of.get(part))
        how = "where the table began" if placed.by == SYSTEM else f"the point of `{placed.action}`"
        what = f"{_rows(rows)} before {how}"
        yield LeftOut(
            reason=ProblemReason.BEFORE_POINT,
            by=placed.by,
            rows=rows,
            what=what,
            next_step=step,
            serial=placed.serial,
            at=placed.at,
            commands=commands,
        )


def _given_up(case: Case) -> Iterator[LeftOut]:
    for number, group in enumerate(case.unloaded):
        files, rows = _count(group), case.outcome.parts[FIRST_FILES + number]
        if group.by is None or group.at is None or not (rows or group.others):
            continue
        what = f"{_files(files)} given up ({group.why}), with {_count_rows(rows)} that the warehouse lacks"
        back = f"wmtui files -t {case.name} --unskip …"
        step = f"`{back}` takes that back"
        yield LeftOut(
            reason=ProblemReason.WRITTEN_OFF,
            by=group.by,
            rows=rows,
            files=files,
            what=what,
            next_step=step,
            at=format_instant(group.at),
            commands=(back,),
        )


def _without_cursor(case: Case) -> Iterator[LeftOut]:
    rows, cursor = case.outcome.parts[NOWHERE], case.table.cursor
    if rows and case.config.null_cursor != "error":
        what = f"{_rows(rows)} without a {cursor}, which no sync reads"
        yield LeftOut(
            reason=ProblemReason.NULL_CURSOR,
            by="`null_cursor: report`",
            rows=rows,
            what=what,
            next_step=f"give every row a {cursor}",
        )


def _read_again(case: Case, lowest: int | None) -> tuple[str, tuple[str, ...]]:
    """How to bring rows from a cursor on, as the column holds it, into the warehouse."""
    name = case.name
    accept = (f"wmtui accept -t {name} --reason …",) if case.refused else ()
    if not case.config.primary_key:
        again = (*accept, f"wmtui watermark reset -t {name} --force", f"wmtui sync -t {name}")
        step = f"without a primary key only everything can be read again: empty {case.config.target}, then "
        return step + ", ".join(f"`{command}`" for command in again), again
    if lowest is None:
        return f"give them a {case.table.cursor} again in the source, then `wmtui sync -t {name}`", ()
    point = _wall(lowest, case)
    again = (*accept, f"wmtui watermark set -t {name} --timestamp '{point}'", f"wmtui sync -t {name}")
    return ", ".join(f"`{command}`" for command in again) + ", one after the other, read them again", again


def _wall(lowest: int, case: Case) -> str:
    """A cursor as people type it, wall clock in the profile's zone."""
    inside = _EPOCH + timedelta(microseconds=lowest)
    has_zone = case.table.schema.field(case.table.cursor).type.tz is not None
    return format_wall(from_utc(inside.replace(tzinfo=UTC), case.zone) if has_zone else inside)


def _count(group: Unloaded) -> int:
    return len(group.own) + len(group.others)


def _rows(count: int) -> str:
    return "1 row is" if count == 1 else f"{count:,} rows are"


def _count_rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _files(count: int) -> str:
    return "1 file is" if count == 1 else f"{count:,} files are"
