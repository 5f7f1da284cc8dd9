"""A first load into a target that is not there: the shape that its files give it, and the ledger's rows of it."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from wmtui.warehouses.ledger.ledger import fence_after, write_fence, write_ledger
from wmtui.warehouses.ledger_state import Fence
from wmtui.warehouses.load.columns import ColumnMapping, Target, map_columns, renamed
from wmtui.warehouses.load.part_reader import Part
from wmtui.warehouses.load.session import Session
from wmtui.warehouses.load.staging import file_named, included_schema, merge_columns
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult
from wmtui.warehouses.target import Columns


class NotBuilt(Exception):
    """The files cannot become the target as they are: they are staged instead."""


class Shape(Struct, frozen=True):
    """What a target that is made of one file has: its columns and their types, its key, and what lands where."""

    columns: Columns
    primary_key: tuple[str, ...]
    mappings: Sequence[ColumnMapping]

    @property
    def names(self) -> list[str]:
        """The columns in the order of the file."""
        return list(self.columns)


def shape_of(session: Session, request: LoadRequest, file: LoadFile, part: Part) -> Shape:
    """The target as one file alone makes it. Raises TableError for a file that no target can take."""
    with file_named(file):
        schema = included_schema(part, request.naming)
        absent = Target(request.target, {}, session.statements)
        target = absent.with_columns(absent.lacking(renamed(schema, request.naming)))
        mappings = map_columns(schema, target, request.naming)
        key, _ = merge_columns(request, target.columns, mappings)
    return Shape({mapping.column: target.columns[mapping.column] for mapping in mappings}, key, mappings)


def record_built(
    session: Session, request: LoadRequest, known: Fence | None, columns: Columns, fresh: Mapping[LoadFile, int]
) -> LoadResult:
    """Write the ledger and raise the fence for a target that has these files' rows and no others."""
    rows = sum(fresh.values())
    write_ledger(session, request, fresh)
    left = fence_after(request, known)
    left = replace(
        left,
        target_id=session.state(request.target, count=False).id,
        target_rows=None if request.target_rows is None else rows,
        columns=tuple(dict.fromkeys((*left.columns, *columns))),
    )
    write_fence(session, request, known, left)
    return LoadResult(request.files, (), rows)
