"""Before a run writes its first part: does the target take what the source has?"""

import msgspec

from wmtui.errors import WarehouseError
from wmtui.events import Severity
from wmtui.pipeline.context import Job, Scope
from wmtui.sources import SourceTable
from wmtui.warehouses import Naming, TargetLayout, TargetTable
from wmtui.warehouses.load.columns import match
from wmtui.warehouses.load.misfits import PlannedLoad, find_misfits, raise_misfits


def check_target(scope: Scope, table: SourceTable) -> TargetTable | None:
    """Compare a table with its target, or with what is remembered of it while the warehouse does not answer; returns
    that, None where there is no such table.

    Tells all that does not fit, a line each. Raises TargetMisfit, naming it too, and WarehouseError when there is
    nothing to compare with, unless files are only to be written.
    """
    try:
        target = scope.backend.warehouse.describe(scope.config.target)
    except WarehouseError as error:
        target = _from_memory(scope, error)
        if target is None:
            return None
    else:
        remember_columns(scope, target)
    planned = planned_load(scope, table)
    misfits = find_misfits(planned, target)
    for misfit in misfits:
        scope.tell(str(misfit), Severity.WARNING)
    raise_misfits(planned, misfits)
    return target


def planned_load(scope: Scope, table: SourceTable) -> PlannedLoad:
    """What loads of this table will bring."""
    config, warehouse = scope.config, scope.backend.warehouse
    return PlannedLoad(
        table=str(scope.table),
        schema=table.schema,
        target=config.target,
        cursor=table.cursor,
        primary_key=table.primary_key,
        naming=naming(scope),
        layout=layout(scope),
        limits=warehouse.limits,
        statements=warehouse.statements,
    )


def naming(scope: Scope) -> Naming:
    """What the target calls the columns of the source, and in which form it keeps them."""
    config = scope.config
    return Naming(config.rename, config.exclude, config.as_types, scope.backend.zone.key)


def layout(scope: Scope) -> TargetLayout:
    """How Redshift is to store a new target."""
    return TargetLayout(scope.config.diststyle, scope.config.distkey, scope.config.sortkey)


def required_columns(scope: Scope, table: SourceTable, target: TargetTable | None) -> frozenset[str]:
    """Columns that may be NULL in the source and must not be in the target."""
    if target is None:
        return frozenset()
    full, names = {column.name for column in target.columns if not column.nullable}, naming(scope)
    return frozenset(
        field.name
        for field in table.schema
        if field.nullable and match(names.of(field.name) or field.name, target.types) in full
    )


def _from_memory(scope: Scope, error: WarehouseError) -> TargetTable | None:
    """What is remembered, and telling so. Raises the error again when nothing is and rows are to be loaded."""
    remembered = remembered_columns(scope)
    target = scope.config.target
    if remembered is not None:
        scope.tell(f"{error}; compared with the columns that {target} had at its last load", Severity.WARNING)
        return remembered
    if scope.options.load:
        raise WarehouseError(
            error.what,
            f"{error.why}; and what {target} looks like is not remembered: rows might be read that no load takes",
            f"{error.next_step}; or write files without comparing, by --backup-only",
        ) from error
    scope.tell(f"{error}; whether {target} takes the rows was not compared", Severity.WARNING)
    return None


def remembered_columns(scope: Scope) -> TargetTable | None:
    """What stood under the target's name when the warehouse was last asked; None where it is not known."""
    known = scope.heartbeat.document.target_columns.get(scope.backend.profile)
    if not isinstance(known, dict) or scope.config.target not in known:
        return None
    try:
        return msgspec.convert(known[scope.config.target], TargetTable)
    except msgspec.ValidationError:
        return None


def remember_columns(scope: Scope, target: TargetTable | None) -> None:
    """Leave what stands under the target's name for runs that find no warehouse; a preview leaves nothing."""
    if target is not None and isinstance(scope, Job):
        noted = {scope.backend.profile: {scope.config.target: msgspec.to_builtins(target)}}
        scope.lease.note(target_columns=scope.heartbeat.document.target_columns | noted)


def remember_loaded(job: Job, changed: bool) -> None:
    """Leave what stands under the target's name after a load. changed: it gave the target columns."""
    if not changed and remembered_columns(job) is not None:
        return
    try:
        remember_columns(job, job.backend.warehouse.describe(job.config.target))
    except WarehouseError as error:
        job.tell(f"what the target looks like is not remembered: {error}", Severity.DEBUG)
