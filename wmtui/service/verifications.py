"""Comparing warehouse and source."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from wmtui.errors import Interrupted, WmtuiError, told
from wmtui.model import TableName
from wmtui.service.syncs import open_backend
from wmtui.service.workspace import Workspace

if TYPE_CHECKING:
    from wmtui.pipeline.events import Emit, Stop
    from wmtui.pipeline.verify import Verification


def verify(
    workspace: Workspace,
    tables: Iterable[TableName],
    *,
    since: datetime | None = None,
    examples: int,
    emit: "Emit",
    stop: "Stop",
) -> "list[tuple[TableName, Verification | WmtuiError]]":
    """Compare tables one after the other; one that cannot be compared has its error instead. Changes nothing.

    since: rows from here on count as extracted whatever the runs say, wall clock in the profile's zone. examples: of
    each finding. Raises Interrupted.
    """
    from wmtui.pipeline.context import Options, Scope
    from wmtui.pipeline.verify.compare import verify_table

    backend = open_backend(workspace)
    results: list[tuple[TableName, Verification | WmtuiError]] = []
    for table in dict.fromkeys(tables):
        try:
            scope = Scope(table, workspace.config(table), backend, Options(), workspace.heartbeat(table), emit)
            results.append((table, verify_table(scope, since=since, examples=examples, stop=stop)))
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - the other tables are compared
            results.append((table, told(error)))
    return results
