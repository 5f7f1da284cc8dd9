"""From a watermark to the files that are loaded next: listing, load records or ledger, and the rules, in one call.

Preview, run, explanation and screen all go through `FileFilter.select`.
"""

import difflib
from collections.abc import Container, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import UsageError
from wmtui.files.footers import same_content
from wmtui.files.listing import Lister, Listing
from wmtui.files.loads import Destination, LoadRecords, loaded_files
from wmtui.files.runs import RunStore, is_run_id, run_started
from wmtui.files.verdicts import Basis, Candidate, Loads, Reprocess, Summary, Verdict, judge, summarise
from wmtui.objects import ObjectStore
from wmtui.watermarks.lease import Heartbeat
from wmtui.watermarks.model import Watermark

_ZONE_SLACK = timedelta(days=1)
"""Writers name day folders by their own clock: a folder may be a day off the file's LastModified."""


class Selection(Struct, frozen=True):
    """What `select` found: the basis it judged by, a verdict per candidate, and the summary.

    by_ledger: the warehouse's ledger said what is loaded; otherwise the load records did.
    """

    basis: Basis
    listing: Listing
    verdicts: Sequence[Verdict]
    summary: Summary
    loaded: Loads
    by_ledger: bool

    @property
    def selected(self) -> list[Candidate]:
        """The files to load, oldest first."""
        return [v.file for v in self.verdicts if v.selected]


class Loading(Struct, frozen=True):
    """Where a table is loaded, and how. keyless: it has no primary key, so that a file loaded twice is doubled."""

    destination: Destination
    keyless: bool = False


class Known(Struct, frozen=True):
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


_RULES_ONLY = Choice()


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
        ledger: Known | None = None,
        choice: Choice = _RULES_ONLY,
    ) -> Selection:
        """Judge every file of a table by a watermark.

        table: where it is loaded, which loads count. system: the system watermark. ledger: what the warehouse says
        is loaded; None: the load records are asked. Raises StoreError and Unreadable, UsageError for an unknown key.
        """
        basis = Basis.of(mark, system, self._zone, keyless=table.keyless)
        since = (
            None
            if choice.all_days or choice.reprocess
            else self._since(mark, basis, settled_run(mark, heartbeat, table, ledger))
        )
        loaded = self._recorded(mark, table, since) if ledger is None else ledger.loads
        known = () if choice.reprocess else loaded
        listing = self._lister.find(mark.table, since, known)
        listing = replace(listing, candidates=[self._as_written(file, known) for file in listing.candidates])
        candidates = _named(listing.candidates, choice.keys) if choice.keys else listing.candidates
        again = Reprocess.NAMED if choice.keys else Reprocess.LOADED if choice.reprocess else Reprocess.NO
        verdicts = judge(candidates, basis, loaded, again)
        summary = summarise(verdicts, basis, loaded, self._zone, again)
        return Selection(basis, listing, verdicts, summary, loaded, ledger is not None)

    def _since(self, mark: Watermark, basis: Basis, settled: str) -> date | None:
        """The first day that can hold a file to load: of the session window, or of the oldest run not settled."""
        if basis.session is None:
            return None
        first = (basis.session[0] - _ZONE_SLACK).date()
        oldest = next(RunStore(self._objects, mark.table).since(settled), None)
        return first if oldest is None else min(first, run_started(oldest).date())

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
        if part.size != file.size or not same_content(self._objects, file.key, part.footer):
            return file
        return msgspec.structs.replace(file, part=msgspec.structs.replace(part, etag=file.etag))


def settled_mark(run: str, mark: Watermark, table: Loading, load_id: str | None) -> dict[str, object]:
    """What a load leaves in the lock document: up to this run nothing is left to load, as long as the rest holds.

    load_id: the newest load into the target; one that the ledger does not have voids the mark.
    """
    floor = mark.fields["load_floor"]
    return {"run": run, "epoch": mark.epoch, "load_floor": floor, "target": table.destination.target, "load": load_id}


def settled_run(mark: Watermark, heartbeat: Heartbeat, table: Loading, ledger: Known | None = None) -> str:
    """The newest run up to which every run is loaded, excluded or abandoned, as the last load into this warehouse left
    it; "" for none. ledger: what the warehouse says; None: it was not asked.
    """
    settled = settled_marks(heartbeat).get(table.destination.warehouse or "")
    if settled is None:
        return ""
    run, load_id = str(settled.get("run") or ""), settled.get("load")
    if load_id is not None and not (isinstance(load_id, str) and (ledger is None or load_id in ledger.ids)):
        return ""
    return run if settled == settled_mark(run, mark, table, load_id) else ""


def settled_marks(heartbeat: Heartbeat) -> dict[str, dict[str, Any]]:
    """By the id of a warehouse, what the last load into it left."""
    settled = heartbeat.fields.get("settled_in")
    found = settled if isinstance(settled, dict) else {}
    return {warehouse: mark for warehouse, mark in found.items() if isinstance(mark, dict)}


def earlier_runs(heartbeat: Heartbeat) -> list[str]:
    """Runs of a table that its lock document names; a new one has to sort behind them."""
    settled = [mark.get("run") for mark in settled_marks(heartbeat).values()]
    names = [heartbeat.fields.get("committed_run"), *settled]
    return [name for name in names if isinstance(name, str) and is_run_id(name)]


def _named(candidates: Sequence[Candidate], keys: Sequence[str]) -> list[Candidate]:
    by_key = {c.key: c for c in candidates}
    for key in keys:
        if key not in by_key:
            near = difflib.get_close_matches(key, by_key, 1)
            hint = f"did you mean {near[0]}?" if near else "see `wmtui files` for the keys"
            raise UsageError(f"no file {key}", "it is not a file of this table", hint)
    return [by_key[key] for key in dict.fromkeys(keys)]
