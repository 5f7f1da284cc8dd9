"""What a load says of its target beyond its own words: why rows were refused, and what fills a column that is empty."""

from collections.abc import Sequence

from wmtui.errors import LoadRefused, WarehouseError
from wmtui.events import Severity
from wmtui.pipeline.context import Job
from wmtui.warehouses import TargetTable

_DOUBLED = ("duplicate key", "duplicate entry", "unique constraint", "primary key constraint")
"""What warehouses say of a row whose key is there already."""


def with_cause(job: Job, error: LoadRefused) -> LoadRefused:
    """The same error, with what of the target explains a key that is there twice."""
    if not any(words in str(error).casefold() for words in _DOUBLED):
        return error
    try:
        found = job.backend.warehouse.describe(job.config.target)
    except WarehouseError:
        return error
    causes = hidden_rows(job.config.target, found) if found is not None else []
    if not causes:
        key = ", ".join(job.config.primary_key) or "none"
        return LoadRefused(
            error.what,
            f"{error.why}; rows are told apart by {key}, and another constraint of {job.config.target} finds two alike",
            "nothing was loaded; drop that constraint, or make the rows of the source differ by it",
        )
    return LoadRefused(
        error.what,
        f"{error.why}; {'; '.join(cause for cause, _ in causes)}",
        f"nothing was loaded; {'; '.join(step for _, step in causes)}",
    )


def hidden_rows(target: str, found: TargetTable) -> list[tuple[str, str]]:
    """What keeps rows of a target from a load, so that it inserts them beside, and the way out of each."""
    causes = []
    if not found.loadable:
        causes.append((f"{target} is a {found.kind}, which may leave rows out", "load into the table itself"))
    if found.row_security:
        way = f"load as the owner, {found.owner}, or as a user whom no policy concerns"
        causes.append((f"row-level security hides rows of {target} from this user", way))
    for kind, names in (("rules", found.rules), ("triggers", found.triggers)):
        if names:
            causes.append((f"{target} has {kind} that may turn changes aside: {', '.join(names)}", f"drop the {kind}"))
    return causes


def tell_added(job: Job, target: str, added: Sequence[str], carried: Sequence[str]) -> None:
    """Say which columns a load gave the target, and what fills them in the rows it had.

    carried: columns of the target that earlier loads of this table brought.
    """
    if not added:
        return
    known = {column.casefold() for column in carried}
    lost = [column for column in added if column.casefold() in known]
    way = (
        f"`wmtui watermark reset -t {job.table}`, then a sync, fills them from the source"
        if job.config.primary_key
        else "without a primary key no sync can fill them"
    )
    said = f"{target} has new columns, NULL in the rows it had: {', '.join(added)}"
    dropped = f" ({', '.join(lost)}: loaded before, and dropped from the target since)" if lost else ""
    job.tell(f"{said}{dropped}; {way}", Severity.WARNING)
