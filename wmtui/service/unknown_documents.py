"""Documents below `watermark/` that are no part of this configuration, or of this program."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from wmtui import layout
from wmtui.errors import ObjectMissing, StoreError, Unreadable
from wmtui.model import TableName
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents

_FOLDERS = frozenset(
    {
        layout.WATERMARKS,
        layout.JOURNALS,
        layout.LOCKS,
        layout.RUNS,
        layout.LOADS,
        layout.DECISIONS,
        layout.MANIFESTS,
        layout.PROBES,
        layout.BACKFILLS,
        f"{layout.DOCUMENTS}{layout.PERMISSION_PROBES}",
    }
)
_FILES = frozenset({layout.STORE, layout.SYSTEM_WATERMARK, layout.ALERTS})
_AFTER_FOLDER = "\U0010ffff"
"""Sorts after every name in a folder."""
_MOST = 20
"""Documents of another tool that are opened."""


class UnknownDocument(Struct, frozen=True):
    """A document that nothing here reads. table: whose watermark another tool keeps there; None: of none.

    loaded: files that it names as loaded.
    """

    key: str
    table: TableName | None = None
    loaded: int = 0

    @property
    def finding(self) -> str:
        """What it is."""
        if self.table is None:
            return "no document of a table in tables.yaml, and nothing that wmtui writes"
        counted = f"; it names {self.loaded:,} files as loaded, which would be loaded again" if self.loaded else ""
        return f"{self.table}'s watermark as the older tool wrote it: it is not read{counted}"

    @property
    def next_step(self) -> str:
        """What to do about it."""
        if self.table is None:
            return "add its table to tables.yaml, or remove it"
        return f"take its point over: `wmtui watermark set -t {self.table} --timestamp …`; then remove it"


def find(objects: ObjectStore, tables: Iterable[TableName]) -> list[UnknownDocument]:
    """Every unknown document; of folders that hold no watermarks only the folder. Raises StoreError."""
    keys = [info.key for info in objects.list(layout.WATERMARKS)]
    found = list(in_tables(keys, tables))
    opened = [_opened(objects, document) for document in found[:_MOST]]
    return [*opened, *found[_MOST:], *map(UnknownDocument, _elsewhere(objects))]


def in_tables(keys: Iterable[str], tables: Iterable[TableName]) -> Iterator[UnknownDocument]:
    """Those among the watermarks, by their names alone."""
    tables = tuple(tables)
    known = {layout.watermark_key(table) for table in tables}
    older = {layout.older_watermark_key(table): table for table in tables}
    for key in keys:
        if key not in known and not key.startswith(f"{layout.WATERMARKS}{layout.PERMISSION_PROBES}"):
            yield UnknownDocument(key, older.get(key))


def _opened(objects: ObjectStore, document: UnknownDocument) -> UnknownDocument:
    """The document, with the number of files that it names as loaded."""
    if document.table is None:
        return document
    try:
        files = documents.decode(document.key, objects.get(document.key).data).get("processed_s3_files")
    except (ObjectMissing, StoreError, Unreadable):
        return document
    return UnknownDocument(document.key, document.table, len(files) if isinstance(files, list | dict) else 0)


def _elsewhere(objects: ObjectStore) -> Iterator[str]:
    """Names right below the root that this program gives to nothing; each folder costs one request."""
    after = ""
    while (info := next(objects.list(layout.DOCUMENTS, after=after), None)) is not None:
        name, slash, _ = info.key.removeprefix(layout.DOCUMENTS).partition("/")
        place = f"{layout.DOCUMENTS}{name}{slash}"
        if place not in (_FOLDERS if slash else _FILES):
            yield place
        after = f"{place}{_AFTER_FOLDER}" if slash else place
