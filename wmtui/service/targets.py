"""What `doctor` says of the table in the warehouse that a table of the source is loaded into."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wmtui.errors import WmtuiError
from wmtui.model import Check, Level, TableName
from wmtui.service.workspace import Workspace

if TYPE_CHECKING:
    from wmtui.pipeline.context import Scope
    from wmtui.warehouses import TargetTable
    from wmtui.warehouses.misfits import Wanted


def check_target(workspace: Workspace, table: TableName) -> list[Check]:
    """Whether the target takes what the source has, and what else happens when rows of it are replaced.

    A source or warehouse that does not answer is a finding of its own, elsewhere.
    """
    from wmtui.pipeline.target import wanted

    try:
        scope = _scope(workspace, table)
        with workspace.source.connect() as source:
            wish = wanted(scope, source.describe(table, scope.config))
        found = workspace.warehouse.describe(scope.config.target)
    except WmtuiError:
        return []
    return [*_misfits(f"{table}: target", wish, found), *_side_effects(f"{table}: target", wish, found)]


def _scope(workspace: Workspace, table: TableName) -> "Scope":
    from wmtui.pipeline.context import Options, Scope
    from wmtui.service.syncs import open_backend

    heartbeat = workspace.heartbeat(table)
    return Scope(table, workspace.config(table), open_backend(workspace), Options(), heartbeat, lambda _: None)


def _misfits(subject: str, wish: "Wanted", found: "TargetTable | None") -> Iterator[Check]:
    from wmtui.warehouses.misfits import find_misfits

    misfits = find_misfits(wish, found)
    for misfit in misfits:
        yield Check(subject, Level.ERROR, misfit.finding, misfit.way_out)
    if not misfits and found is None:
        yield Check(subject, Level.OK, f"{wish.target} will be made by the first load")
    elif not misfits:
        yield Check(subject, Level.OK, f"{wish.target} takes every column of the source")


def _side_effects(subject: str, wish: "Wanted", found: "TargetTable | None") -> Iterator[Check]:
    """What holds, and may surprise."""
    if found is None or not found.loadable:
        return
    if found.triggers:
        finding = f"triggers fire for each row that a load replaces or adds: {', '.join(found.triggers)}"
        yield Check(subject, Level.WARNING, finding, "make sure that none of them changes or drops rows")
    if found.cascades:
        finding = (
            f"rows of other tables go with a row that is replaced (ON DELETE CASCADE): {', '.join(found.cascades)}"
        )
        yield Check(subject, Level.WARNING, finding, "make these foreign keys without ON DELETE CASCADE")
    if not found.owned:
        finding = f"{wish.target} belongs to {found.owner}: this user cannot add columns that are new in the source"
        yield Check(subject, Level.WARNING, finding, f"make this user a member of {found.owner}, or the owner")
    key = tuple(wish.naming.of(column) or column for column in wish.primary_key)
    if found.primary_key and key and {c.lower() for c in found.primary_key} != {c.lower() for c in key}:
        finding = f"its primary key is {', '.join(found.primary_key)}, rows are replaced by {', '.join(key)}"
        yield Check(subject, Level.WARNING, finding, "make the two the same, or be sure that both are unique")
