"""What `doctor` says of the table in the warehouse that a table of the source is loaded into."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from wmtui.errors import WmtuiError
from wmtui.model import Check, Level, TableName
from wmtui.service.workspace import Workspace

if TYPE_CHECKING:
    from wmtui.pipeline.context import Scope
    from wmtui.warehouses import TargetTable
    from wmtui.warehouses.load.misfits import PlannedLoad


def check_target(workspace: Workspace, table: TableName) -> list[Check]:
    """Whether the target takes what the source has, and what else happens when rows of it are replaced.

    A source or warehouse that does not answer is a finding of its own, elsewhere.
    """
    from wmtui.pipeline.target_check import planned_load

    try:
        scope = _scope(workspace, table)
        with workspace.source.connect() as source:
            planned = planned_load(scope, source.describe(table, scope.config))
            collations = source.collations(table)
        target = workspace.warehouse.describe(scope.config.target)
    except WmtuiError:
        return []
    return [
        *_misfits(f"{table}: target", planned, target),
        *_side_effects(f"{table}: target", planned, target, collations),
    ]


def _scope(workspace: Workspace, table: TableName) -> "Scope":
    from wmtui.pipeline.context import Scope, SyncOptions
    from wmtui.service.syncs import open_backend

    return Scope(
        table=table,
        config=workspace.config(table),
        backend=open_backend(workspace),
        options=SyncOptions(),
        heartbeat=workspace.heartbeat(table),
        emit=lambda _: None,
    )


def _misfits(subject: str, planned: "PlannedLoad", target: "TargetTable | None") -> Iterator[Check]:
    from wmtui.warehouses.load.misfits import find_misfits

    misfits = find_misfits(planned, target)
    for misfit in misfits:
        yield Check(subject, Level.ERROR, misfit.finding, misfit.way_out)
    if not misfits and target is None:
        yield Check(subject, Level.OK, f"{planned.target} will be made by the first load")
    elif not misfits:
        yield Check(subject, Level.OK, f"{planned.target} takes every column of the source")


def _side_effects(
    subject: str, planned: "PlannedLoad", target: "TargetTable | None", collations: Mapping[str, str]
) -> Iterator[Check]:
    """What holds, and may surprise. collations: of the source's columns."""
    if target is None or not target.loadable:
        return
    if target.triggers:
        finding = f"triggers fire for each row that a load replaces or adds: {', '.join(target.triggers)}"
        yield Check(subject, Level.WARNING, finding, "make sure that none of them changes or drops rows")
    if target.cascades:
        finding = (
            f"rows of other tables go with a row that is replaced (ON DELETE CASCADE): {', '.join(target.cascades)}"
        )
        yield Check(subject, Level.WARNING, finding, "make these foreign keys without ON DELETE CASCADE")
    if target.rules:
        finding = f"rules rewrite what a load does to rows: {', '.join(target.rules)}"
        yield Check(subject, Level.WARNING, finding, "drop them: rows may go elsewhere, or nowhere")
    if not target.owned:
        finding = f"{planned.target} belongs to {target.owner}: this user cannot add columns that are new in the source"
        yield Check(subject, Level.WARNING, finding, f"make this user a member of {target.owner}, or the owner")
    names = {column: planned.naming.of(column) or column for column in planned.primary_key}
    yield from folded_keys(subject, names, target, collations)
    key = tuple(names.values())
    if target.primary_key and key and {c.lower() for c in target.primary_key} != {c.lower() for c in key}:
        finding = f"its primary key is {', '.join(target.primary_key)}, rows are replaced by {', '.join(key)}"
        yield Check(subject, Level.WARNING, finding, "make the two the same, or be sure that both are unique")


def folded_keys(
    subject: str, key: Mapping[str, str], target: "TargetTable", collations: Mapping[str, str]
) -> Iterator[Check]:
    """Columns of the key that the source tells apart and the target does not. key: their names here and there.

    collations: of the source's columns.
    """
    from wmtui.warehouses.load.columns import match

    for column, target_name in key.items():
        target_column, own = match(target_name, target.types), collations.get(column, "")
        folds = target.column(target_column).folds if target_column else ""
        if folds and tells_apart(own):
            finding = f"{target_column} is compared by {folds}, {column} of the source by {own or 'its bytes'}"
            step = f"give {target_column} a collation that tells all texts apart, before two keys become one row"
            yield Check(subject, Level.WARNING, finding, step)


def tells_apart(collation: str) -> bool:
    """Whether a collation of MySQL takes texts that differ in case alone for different ones; "": bytes are compared."""
    name = collation.casefold()
    return not name or name.endswith(("_bin", "_cs")) or name == "binary"
