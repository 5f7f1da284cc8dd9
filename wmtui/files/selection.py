"""From a watermark to the files that are loaded next: listing, load records or ledger, and the rules, in one call.

Preview, run, explanation and screen all go through `FileFilter.select`.
"""

from collections.abc import Container, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import UsageError
from wmtui.files import decisions
from wmtui.files.decisions import Decisions
from wmtui.files.listing import Lister, Listing
from wmtui.files.summary import Summary, explain, summarise
from wmtui.files.verdicts import Basis, Candidate, FileKind, Reprocess, Verdict, VerdictReason, judge
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.runs.footers import same_content
from wmtui.runs.load_records import Destination, LoadRecords, Loads, loaded_files
from wmtui.runs.run_document import Run, RunStore, is_run_id, run_started
from wmtui.texts import did_you_mean
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import format_instant, parse_instant

_ZONE_SLACK = timedelta(days=1)
"""Writers name day folders by their own clock: a folder may be a day off the file's LastModified."""


class Selection(Struct, frozen=True):
    """What `select` found: the basis it judged by, a verdict per candidate, and the summary.

    by_ledger: the warehouse's ledger said what is loaded; otherwise the load records did. since: the first day whose
    folders were listed; None: all were. unsettled: names of the runs after the last that nothing is left to load of;
    None: not asked for. whole_at: when folders of all days were last listed, aware UTC; None: never, or
    at an unknown time. held_back: files that are out although they may have rows that come by no other way, also those
    that only the last listing of all days showed.
    """

    basis: Basis
    listing: Listing
    verdicts: Sequence[Verdict]
    summary: Summary
    loaded: Loads
    by_ledger: bool
    decisions: Decisions = decisions.NONE
    since: date | None = None
    unsettled: Sequence[str] | None = None
    whole_at: datetime | None = None
    held_back: int = 0

    @property
    def held_back_files(self) -> list[Candidate]:
        """Those of them that were listed, oldest first."""
        return [v.file for v in self.verdicts if v.held_back]

    def holds_back_since(self, at: datetime) -> bool:
        """Whether a file that was written after this instant is held back."""
        return any(file.last_modified > at for file in self.held_back_files)

    def explain(self, verdict: Verdict) -> str:
        """Why a file is in or out, in words."""
        return explain(verdict, self.loaded, self.decisions.files)

    @property
    def selected(self) -> list[Candidate]:
        """The files to load, oldest first."""
        return [v.file for v in self.verdicts if v.selected]


class Loading(Struct, frozen=True):
    """Where a table is loaded, and how. keyless: it has no primary key, so that a file loaded twice is doubled.

    list_all_every: how long runs may do with the days of their window, until they list all days again.
    """

    destination: Destination
    keyless: bool = False
    list_all_every: timedelta = timedelta(hours=8)


class LedgerLoads(Struct, frozen=True):
    """What a warehouse's ledger says: how every file was last loaded, and the ids of all loads into the target."""

    loads: Loads
    ids: frozenset[str]


class Choice(Struct, frozen=True):
    """What the caller asks for besides the rules.

    reprocess: files loaded before again; keys: only these. all_days: list everything, not from the watermark's day.
    """

    reprocess: bool = False
    keys: tuple[str, ...] = ()
    all_days: bool = False


class LaterRuns(Struct, frozen=True):
    """Names of all runs after one of a table, oldest first."""

    after: str
    names: tuple[str, ...]


_RULES_ONLY = Choice()


class _Case(Struct, frozen=True):
    """What the files of a table are judged by."""

    mark: Watermark
    table: Loading
    ledger: LedgerLoads | None
    choice: Choice
    basis: Basis
    decided: Decisions
    committed: Run | None


class FileFilter:
    """Decides which files of a table are loaded next. zone: the profile's."""

    def __init__(self, objects: ObjectStore, lister: Lister, zone: ZoneInfo) -> None:
        self._objects = objects
        self._lister = lister
        self._zone = zone

    def select(
        self,
        mark: Watermark,
        table: Loading,
        heartbeat: Heartbeat,
        system: datetime | None,
        *,
        ledger: LedgerLoads | None = None,
        choice: Choice = _RULES_ONLY,
        committed: Run | None = None,
        later_runs: LaterRuns | None = None,
    ) -> Selection:
        """Judge every file of a table by a watermark.

        table: where it is loaded, which loads count. system: the system watermark. ledger: what the warehouse says
        is loaded; None: the load records are asked. committed: the run that the caller has just committed, which need
        not be read. later_runs: those that the caller knows of, which need not be listed. Raises StoreError and
        Unreadable, UsageError for an unknown key.
        """
        decided = decisions.standing(self._objects, mark.table, heartbeat)
        last_listing = noted_listing(mark, heartbeat, table, decided)
        basis = Basis.of(mark, system, self._zone, keyless=table.keyless)
        since = unsettled = None
        whole = choice.all_days or choice.reprocess or _is_due(last_listing, heartbeat.now, table)
        if not whole and basis.session is not None:
            settled = settled_run(mark, heartbeat, table, decided, ledger)
            if later_runs is not None and later_runs.after == settled:
                unsettled = list(later_runs.names)
            else:
                unsettled = list(RunStore(self._objects, mark.table).since(settled))
            since = _first_day(basis.session[0], unsettled)
        case = _Case(
            mark=mark, table=table, ledger=ledger, choice=choice, basis=basis, decided=decided, committed=committed
        )
        selection = self._judged(case, since)
        if since is not None and last_listing is not None and selection.holds_back_since(last_listing.at):
            since = None  # The note counts those of earlier listings: only all days show how many there are now.
            selection = self._judged(case, since)
        whole_at, held_back = heartbeat.now, selection.summary.held_back
        if since is not None and last_listing is not None:
            whole_at, held_back = last_listing.at, last_listing.held_back
        return replace(selection, unsettled=unsettled, whole_at=whole_at, held_back=held_back)

    def digest(self, table: TableName, since: date) -> str:
        """Of the files in folders of these days (`Lister.digest`)."""
        return self._lister.digest(table, since)

    def _judged(self, case: "_Case", since: date | None) -> Selection:
        """Every file in the folders of `since` and later."""
        mark, ledger, choice, basis, decided = case.mark, case.ledger, case.choice, case.basis, case.decided
        loaded = self._recorded(mark, case.table, since) if ledger is None else ledger.loads
        known = () if choice.reprocess else loaded
        listing = self._lister.find(mark.table, since, known, case.committed)
        listing = replace(listing, candidates=[self._as_written(file, known) for file in listing.candidates])
        candidates = _named(listing.candidates, choice.keys) if choice.keys else listing.candidates
        again = Reprocess.NAMED if choice.keys else Reprocess.LOADED if choice.reprocess else Reprocess.NO
        verdicts = judge(candidates, basis, loaded, again, decided.files)
        verdicts = [self._as_restored(v, basis, loaded, again) for v in verdicts]
        summary = summarise(verdicts, basis, loaded, self._zone, reprocess=again, decided=decided.files)
        return Selection(
            basis=basis,
            listing=listing,
            verdicts=verdicts,
            summary=summary,
            loaded=loaded,
            by_ledger=ledger is not None,
            decisions=decided,
            since=since,
        )

    def _as_restored(self, verdict: Verdict, basis: Basis, loaded: Loads, again: Reprocess) -> Verdict:
        """An archived file that would be loaded is, once it was restored; only asking for it tells."""
        file = verdict.file
        if verdict.reason is not VerdictReason.ARCHIVED or self._objects.head(file.key).archived:
            return verdict
        return judge([msgspec.structs.replace(file, kind=FileKind.DATA)], basis, loaded, again)[0]

    def _recorded(self, mark: Watermark, table: Loading, since: date | None) -> Loads:
        day = since and since - _ZONE_SLACK
        return loaded_files(LoadRecords(self._objects, mark.table).since(day), table.destination, mark.epoch)

    def _as_written(self, file: Candidate, loaded: Container[str]) -> Candidate:
        """A part whose ETag alone is another one, because it was encrypted again or copied in pieces, is what its run
        wrote: size and footer say so. loaded: keys about which rule 2 decides.
        """
        part = file.part
        if part is None or part.footer is None or part.etag in (None, file.etag) or file.key in loaded:
            return file
        if file.kind is not FileKind.DATA:
            return file
        if part.size != file.size or not same_content(self._objects, file.key, part.footer):
            return file
        return msgspec.structs.replace(file, part=msgspec.structs.replace(part, etag=file.etag))


def _first_day(session: datetime, unsettled: Sequence[str]) -> date:
    """The first day that can hold a file to load: of the session window, or of the oldest run not settled."""
    first = (session - _ZONE_SLACK).date()
    return min(first, run_started(unsettled[0]).date()) if unsettled else first


def settled_mark(
    run: str, mark: Watermark, table: Loading, decided: Decisions, load_id: str | None
) -> dict[str, object]:
    """What a load leaves in the lock document: up to this run nothing is left to load, as long as the rest holds.

    load_id: the newest load into the target; one that the ledger does not have voids the mark.
    """
    target, floor = table.destination.target, mark.fields["load_floor"]
    return {
        "run": run,
        "epoch": mark.epoch,
        "load_floor": floor,
        "target": target,
        "decisions": decided.serial,
        "load": load_id,
    }


def settled_run(
    mark: Watermark, heartbeat: Heartbeat, table: Loading, decided: Decisions, ledger: LedgerLoads | None = None
) -> str:
    """The newest run up to which every run is loaded, excluded or abandoned, as the last load into this warehouse left
    it; "" for none. ledger: what the warehouse says; None: it was not asked.
    """
    settled = settled_marks(heartbeat).get(table.destination.warehouse or "")
    if settled is None:
        return ""
    run, load_id = str(settled.get("run") or ""), settled.get("load")
    if load_id is not None and not (isinstance(load_id, str) and (ledger is None or load_id in ledger.ids)):
        return ""
    return run if settled == settled_mark(run, mark, table, decided, load_id) else ""


class WholeListing(Struct, frozen=True):
    """What the last load saw when it listed the folders of all days. held_back: files. at: aware UTC."""

    held_back: int
    at: datetime


def listing_note(
    mark: Watermark, table: Loading, decided: Decisions, held_back: int, at: datetime
) -> dict[str, object]:
    """What a load leaves in the lock document of a listing of all days; it holds as long as what it was judged by."""
    judged_by = [mark.epoch, mark.fields["load_floor"], mark.is_manual, table.destination.target, decided.serial]
    return {"held_back": held_back, "at": format_instant(at), "judged_by": judged_by}


def noted_listing(mark: Watermark, heartbeat: Heartbeat, table: Loading, decided: Decisions) -> WholeListing | None:
    """What the last load into this warehouse saw of all days; None where none did that by this watermark."""
    note = listing_notes(heartbeat).get(table.destination.warehouse or "")
    try:
        if note is None or type(note["held_back"]) is not int:
            return None
        listing = WholeListing(note["held_back"], parse_instant(note["at"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    expected = listing_note(mark, table, decided, listing.held_back, listing.at)
    return listing if note.get("judged_by") == expected["judged_by"] else None


def listing_notes(heartbeat: Heartbeat) -> dict[str, dict[str, Any]]:
    """By the id of a warehouse, what the last load into it saw of all days."""
    return dict(heartbeat.document.listed_in)


def whole_listing_is_due(mark: Watermark, heartbeat: Heartbeat, table: Loading, decided: Decisions) -> bool:
    """Whether the next sync lists the folders of all days."""
    return _is_due(noted_listing(mark, heartbeat, table, decided), heartbeat.now, table)


def _is_due(last_listing: WholeListing | None, now: datetime | None, table: Loading) -> bool:
    """Whether all days are to be listed again."""
    return last_listing is None or now is None or not timedelta(0) <= now - last_listing.at < table.list_all_every


def settled_marks(heartbeat: Heartbeat) -> dict[str, dict[str, Any]]:
    """By the id of a warehouse, what the last load into it left."""
    return dict(heartbeat.document.settled_in)


def earlier_runs(heartbeat: Heartbeat) -> list[str]:
    """Runs of a table that its lock document names; a new one has to sort after them."""
    settled = [mark.get("run") for mark in settled_marks(heartbeat).values()]
    names = [heartbeat.document.committed_run, *settled]
    return [name for name in names if isinstance(name, str) and is_run_id(name)]


def _named(candidates: Sequence[Candidate], keys: Sequence[str]) -> list[Candidate]:
    by_key = {c.key: c for c in candidates}
    for key in keys:
        if key not in by_key:
            hint = did_you_mean(key, by_key, "see `wmtui files` for the keys")
            raise UsageError(f"no file {key}", "it is not a file of this table", hint)
    return [by_key[key] for key in dict.fromkeys(keys)]
