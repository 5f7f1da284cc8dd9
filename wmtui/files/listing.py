"""Which files there are: every candidate of a table, and every name that could not be read as one."""

import threading
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from hashlib import blake2b

from msgspec import Struct, field

from wmtui.files.verdicts import Candidate, FileKind, PartOf
from wmtui.layout import DATA, FLAT_DATA, FlatNames, data_folder, day_folder, in_staging_area, parse_part
from wmtui.model import TableName
from wmtui.objects import ObjectInfo, ObjectStore
from wmtui.runs.run_document import Run, RunStore

_READERS = 16


class Listing(Struct, frozen=True):
    """The candidates of one table, oldest first, and what the listing saw besides.

    runs: documents that were read for it, by name; None: there is none. prefixes: what was listed. unparsed: keys below
    the table's folder that are no Parquet files. ambiguous: flat names that fit two configured tables and therefore
    belong to neither.
    """

    candidates: list[Candidate]
    prefixes: tuple[str, ...]
    runs: Mapping[str, Run | None] = {}
    unparsed: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)


class Lister:
    """Lists files of tables. The flat layout, which all tables share, is listed once per instance and starting day."""

    def __init__(self, objects: ObjectStore, tables: Iterable[TableName]) -> None:
        self._objects = objects
        self._names = FlatNames(tables)
        self._flat: dict[date | None, list[ObjectInfo]] = {}
        self._lock = threading.Lock()

    def find(
        self, table: TableName, since: date | None, loaded: Container[str], committed: Run | None = None
    ) -> Listing:
        """Every candidate of a table in folders of `since` and later (None: all, and those in no day folder).

        loaded: keys of files whose run document need not be read, because rule 2 decides about them. committed: a run
        whose document is known.
        Raises Unreadable for a run document that is corrupt.
        """
        files: list[ObjectInfo] = []
        unparsed: list[str] = []
        for info in _distinct(self._own_folder(table, since)):
            if info.key.endswith(".parquet"):
                files.append(info)
            else:
                unparsed.append(info.key)
        ambiguous: list[str] = []
        for info in self._flat_files(since):
            owners = self._names.owners(info.key)
            if owners == [table]:
                files.append(info)
            elif table in owners:
                ambiguous.append(info.key)
        candidates, runs = self._candidates(table, files, loaded, committed)
        candidates.sort(key=lambda c: (c.last_modified, c.key))
        return Listing(candidates, (data_folder(table), FLAT_DATA), runs, unparsed, ambiguous)

    def digest(self, table: TableName, since: date) -> str:
        """Of all files in folders of these days, by one listing of the table's folder; those in no day folder are left
        out. What `digest_of` says of the same files.
        """
        own = self._objects.list(data_folder(table), after=_first_of(data_folder(table), since))
        flat = (info for info in self._flat_files(since) if self._names.owners(info.key) == [table])
        files = [info for info in _distinct((*own, *flat)) if info.key.endswith(".parquet")]
        return _digest((info.key, info.etag, info.size, info.archived) for info in files)

    def _own_folder(self, table: TableName, since: date | None) -> Iterator[ObjectInfo]:
        """Files below the table's folder: all, or from the folder of a day on. One that is in no day folder sorts
        before them, and a listing of all days shows it.
        """
        folder = data_folder(table)
        return self._objects.list(folder, after=_first_of(folder, since) if since else "")

    def _flat_files(self, since: date | None) -> list[ObjectInfo]:
        with self._lock:
            if since not in self._flat:
                after = _first_of(DATA, since) if since else ""
                listed = self._objects.list(FLAT_DATA, after=after)
                self._flat[since] = _distinct(i for i in listed if self._names.owners(i.key))
            return self._flat[since]

    def _candidates(
        self, table: TableName, files: list[ObjectInfo], loaded: Container[str], committed: Run | None
    ) -> tuple[list[Candidate], dict[str, Run | None]]:
        named = [(info, self._objects.uri(info.key), parse_part(table, info.key)) for info in files]
        unread = {part.run for info, _, part in named if part and info.key not in loaded}
        known = {committed.run: committed} if committed else {}
        runs = {**known, **self._read_runs(table, unread - known.keys())}
        listed = {part.key: part for run in runs.values() if run for part in run.parts}
        candidates = []
        for info, uri, name in named:
            part_of = None
            if name is not None:
                run, part = runs.get(name.run), listed.get(info.key)
                state, epoch = (run.state, run.epoch) if run else (None, 0)
                if part is None:
                    part_of = PartOf(run=name.run, state=state, epoch=epoch, etag=None, rows=None)
                else:
                    part_of = PartOf(
                        run=name.run,
                        state=state,
                        epoch=epoch,
                        etag=part.etag,
                        rows=part.rows,
                        max_cursor=part.max_cursor,
                        timezone=run.timezone if run else None,
                        size=part.size,
                        footer=part.footer,
                    )
            candidates.append(
                Candidate(
                    key=info.key,
                    uri=uri,
                    etag=info.etag,
                    size=info.size,
                    last_modified=info.last_modified,
                    part=part_of,
                    kind=_kind(table, info),
                )
            )
        return candidates, runs

    def _read_runs(self, table: TableName, names: set[str]) -> dict[str, Run | None]:
        store = RunStore(self._objects, table)

        def read(name: str) -> Run | None:
            stored = store.read(name)
            return stored.run if stored else None

        if len(names) <= 1:
            return {name: read(name) for name in names}
        with ThreadPoolExecutor(min(_READERS, len(names)), thread_name_prefix="runs") as pool:
            return dict(zip(names, pool.map(read, names), strict=True))


def digest_of(table: TableName, candidates: Iterable[Candidate], since: date) -> str:
    """Of the files in folders of these days: the same as long as none comes, goes or changes."""
    folders = (_first_of(data_folder(table), since), _first_of(DATA, since))
    return _digest(
        (file.key, file.etag, file.size, file.kind is FileKind.ARCHIVED)
        for file in candidates
        if file.key > folders[file.key.startswith(FLAT_DATA)]
    )


def _digest(files: Iterable[tuple[str, str, int, bool]]) -> str:
    return blake2b(repr(sorted(files)).encode(), digest_size=16).hexdigest()


def _first_of(folder: str, day: date) -> str:
    """Before the first key in the folders of this day and later ones."""
    return f"{folder}{day_folder(day)}"


def _kind(table: TableName, info: ObjectInfo) -> FileKind:
    if not info.key.startswith(FLAT_DATA) and in_staging_area(table, info.key):
        return FileKind.STAGING
    return FileKind.ARCHIVED if info.archived else FileKind.DATA


def _distinct(found: Iterable[ObjectInfo]) -> list[ObjectInfo]:
    """Each key once: a listing that shows one twice would load its file twice. Of two versions the newer counts."""
    by_key: dict[str, ObjectInfo] = {}
    for info in found:
        known = by_key.get(info.key)
        if known is None or known.last_modified <= info.last_modified:
            by_key[info.key] = info
    return list(by_key.values())
