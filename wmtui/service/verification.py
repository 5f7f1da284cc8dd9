"""Comparing warehouse and source."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from wmtui.errors import ConfirmationNeeded, Interrupted, WmtuiError, as_wmtui_error
from wmtui.model import TableName
from wmtui.service.syncs import open_backend
from wmtui.service.workspace import Workspace
from wmtui.watermarks import last_verification
from wmtui.watermarks.last_verification import LastVerified

if TYPE_CHECKING:
    from wmtui.events import Emit, Stop
    from wmtui.pipeline.context import Scope
    from wmtui.verify import Verification


def verify(
    workspace: Workspace,
    tables: Iterable[TableName],
    *,
    since: datetime | None = None,
    examples: int,
    reason: str | None = None,
    emit: "Emit",
    stop: "Stop",
) -> "list[tuple[TableName, Verification | WmtuiError]]":
    """Compare tables one after the other; one that cannot be compared has its error instead.

    Writes only the note of the verification, and load records that the store lacks; where changes are refused it
    leaves them out, and says so.

    since: rows from here on count as extracted whatever the runs say, wall clock in the profile's zone. examples: of
    each finding. reason: as a protected profile wants it for changes. Raises Interrupted.
    """
    from wmtui.pipeline.context import Scope, SyncOptions
    from wmtui.verify.verify_table import verify_table

    backend = open_backend(workspace)
    results: list[tuple[TableName, Verification | WmtuiError]] = []
    for table in dict.fromkeys(tables):
        try:
            scope = Scope(
                table=table,
                config=workspace.config(table),
                backend=backend,
                options=SyncOptions(),
                heartbeat=workspace.heartbeat(table),
                emit=emit,
            )
            verification, warehouse = verify_table(scope, since=since, examples=examples, stop=stop)
            _note(workspace, scope, verification, warehouse, reason)
            results.append((table, verification))
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - the other tables are compared
            results.append((table, as_wmtui_error(error)))
    return results


def _note(
    workspace: Workspace, scope: "Scope", verification: "Verification", warehouse: str | None, reason: str | None
) -> None:
    """Leave in the store how it ended, for status and list, and the loads that it lacks records of, for previews. A
    store that refuses changes nothing about the result.
    """
    from wmtui.events import Severity
    from wmtui.pipeline.load.table_ledger import read_ledger, repair_records

    author = workspace.author
    note = LastVerified(
        at=workspace.clock(),
        result=verification.result.value,
        rows=verification.compared,
        by=author.actor,
        host=author.host,
        position=verification.position,
        reasons=tuple(verification.reasons),
    )
    try:
        workspace.require_write(reason)
        workspace.watermarks.require_conditions()
        last_verification.note(workspace.objects, scope.table, warehouse, note)
        mark = workspace.watermarks.read(scope.table).watermark
        repair_records(scope, mark, read_ledger(scope, mark), recorded=None)
    except ConfirmationNeeded as refused:
        scope.tell(f"nothing is recorded of this: {refused.what}")
    except WmtuiError as error:
        scope.tell(f"nothing is recorded of this: {error.in_one_line}", Severity.WARNING)
