"""Whose store this is: an id that travels with a copy, the roots it was written from, and who loads from it where."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from wmtui.errors import Conflict, ObjectMissing, PreconditionFailed, Unreadable
from wmtui.layout import STORE, WATERMARKS
from wmtui.objects import ObjectStore
from wmtui.watermarks import documents
from wmtui.watermarks.timestamps import format_instant, parse_instant

FORMAT = 2
"""Of the store's documents. A wmtui that knows less refuses to write."""
_ATTEMPTS = 20
_PROVEN_FOR = timedelta(days=1)
"""How long a proof holds: servers are upgraded, and proxies put in front of them."""


class Root(Struct, frozen=True):
    """A place that the store was written from. at: since when, as documents write instants. reason: why it was accepted
    beside the first; None for the first.
    """

    root: str
    at: str
    by: str
    reason: str | None = None


class Proof(Struct, frozen=True):
    """That a server checks the conditions of writes. at: when it was seen, as documents write instants. quotes_etags:
    whether it wants ETags in quotes.
    """

    at: str
    quotes_etags: bool


class StoreIdentity(Struct, frozen=True):
    """The document of a store. warehouses: by profile, the id of the warehouse that it last loaded into. proven: by
    server and root, the last proof.
    """

    id: str
    format: int = FORMAT
    min_format: int = FORMAT
    roots: tuple[Root, ...] = ()
    warehouses: dict[str, str] = {}
    proven: dict[str, Proof] = {}

    def knows(self, root: str) -> bool:
        """The store was written from there before, or an operator accepted it."""
        return any(known.root == root for known in self.roots)


_DECODER = msgspec.json.Decoder(StoreIdentity)


def read(objects: ObjectStore) -> tuple[StoreIdentity, str] | None:
    """The identity and its ETag; None for a store that never had one. Raises Unreadable."""
    try:
        stored = objects.get(STORE)
    except ObjectMissing:
        return None
    try:
        identity = _DECODER.decode(documents.text_of(stored.data))
    except (ValueError, RecursionError) as error:
        raise Unreadable(STORE, f"not the document of a store: {error}") from None
    if identity.min_format > FORMAT:
        raise Unreadable(STORE, f"it has format {identity.min_format}; this wmtui knows up to {FORMAT}: upgrade it")
    return identity, stored.info.etag


def ensure(objects: ObjectStore, *, now: datetime, by: str) -> StoreIdentity:
    """The identity, made now where there is none: a new one where no document has one, else theirs, at a root that
    no operator has accepted. The caller has just proven the conditions. Raises Unreadable, StoreError.
    """
    stored = read(objects)
    if stored is not None:
        return stored[0]
    known = _of_documents(objects)
    root, proven = Root(objects.uri(""), format_instant(now), by), _proof(objects, now)
    made = StoreIdentity(known or uuid4().hex, roots=() if known else (root,), proven=proven)
    try:
        documents.write(objects, STORE, msgspec.json.encode(made), None)
    except PreconditionFailed:
        stored = read(objects)
        return made if stored is None else stored[0]
    return made


def change(objects: ObjectStore, edit: Callable[[StoreIdentity], StoreIdentity]) -> StoreIdentity:
    """Apply an edit to the identity by compare-and-swap; returns what was written. Raises Conflict, Unreadable."""
    for attempt in range(_ATTEMPTS):
        stored = read(objects)
        if stored is None:
            break
        identity, etag = stored
        changed = edit(identity)
        if changed == identity:
            return identity
        try:
            documents.write(objects, STORE, msgspec.json.encode(changed), etag)
        except PreconditionFailed:
            documents.pause(attempt)
        else:
            return changed
    raise Conflict("the store's document is being changed by others", f"{STORE} was never as it was read", "try again")


def accept_root(objects: ObjectStore, *, now: str, by: str, reason: str) -> StoreIdentity:
    """Let the store be written from where it is now. Raises Conflict, Unreadable."""
    root = Root(objects.uri(""), now, by, reason)
    return change(objects, lambda known: replace(known, roots=(*known.roots, root)))


def remember_warehouse(objects: ObjectStore, profile: str, warehouse: str) -> StoreIdentity:
    """Note which warehouse a profile loads into. Raises Conflict, Unreadable."""
    return change(objects, lambda known: replace(known, warehouses={**known.warehouses, profile: warehouse}))


def last_proof(objects: ObjectStore, identity: StoreIdentity, now: datetime) -> Proof | None:
    """The proof of this server and root, if it still holds; None: it is to be asked."""
    proof = identity.proven.get(_place(objects))
    try:
        return proof if proof and timedelta(0) <= now - parse_instant(proof.at) < _PROVEN_FOR else None
    except ValueError:
        return None


def remember_proof(objects: ObjectStore, identity: StoreIdentity, now: datetime) -> StoreIdentity:
    """Note that this server has just been proven; not in a document of a newer format, which may say more than is known
    here. Raises Conflict, Unreadable, StoreError.
    """
    if identity.format > FORMAT or not objects.server:
        return identity
    return change(objects, lambda known: replace(known, proven={**known.proven, **_proof(objects, now)}))


def forget_proof(objects: ObjectStore) -> None:
    """Note that this server is not proven; not in a document of a newer format. Raises Conflict, Unreadable,
    StoreError.
    """
    place = _place(objects)

    def unproven(known: StoreIdentity) -> StoreIdentity:
        if known.format > FORMAT:
            return known
        return replace(known, proven={name: proof for name, proof in known.proven.items() if name != place})

    change(objects, unproven)


def _proof(objects: ObjectStore, now: datetime) -> dict[str, Proof]:
    return {_place(objects): Proof(format_instant(now), objects.quotes_etags)} if objects.server else {}


def _place(objects: ObjectStore) -> str:
    """A copy of a store on another server has the document too."""
    return f"{objects.server} {objects.uri('')}"


def _of_documents(objects: ObjectStore) -> str | None:
    """The id that a watermark of the store bears; None where none does."""
    for info in objects.list(WATERMARKS):
        try:
            document: Mapping[str, Any] = documents.decode(info.key, objects.get(info.key).data)
        except (ObjectMissing, Unreadable):
            continue
        metadata = document.get("metadata")
        store = metadata.get("store") if isinstance(metadata, dict) else None
        if isinstance(store, str) and store:
            return store
    return None
