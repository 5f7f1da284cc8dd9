"""Why a warehouse refused rows: what of the target explains a key that is there twice."""

from wmtui.errors import LoadRefused, WarehouseError
from wmtui.pipeline.context import Job
from wmtui.warehouses import TargetTable

_DOUBLED = ("duplicate key", "duplicate entry", "unique constraint", "primary key constraint")
"""What warehouses say of a row whose key is there already."""


def explain_refusal(job: Job, error: LoadRefused) -> LoadRefused:
    """The error, with what of the target explains a key that is there twice."""
    if not any(words in str(error).casefold() for words in _DOUBLED):
        return error
    try:
        target = job.backend.warehouse.describe(job.config.target)
    except WarehouseError:
        return error
    causes = hidden_rows(job.config.target, target) if target is not None else []
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


def hidden_rows(name: str, target: TargetTable) -> list[tuple[str, str]]:
    """What keeps rows of a target from a load, so that it inserts them a second time, and the way out of each."""
    causes = []
    if not target.loadable:
        causes.append((f"{name} is a {target.kind}, which may leave rows out", "load into the table itself"))
    if target.row_security:
        way = f"load as the owner, {target.owner}, or as a user whom no policy concerns"
        causes.append((f"row-level security hides rows of {name} from this user", way))
    for kind, names in (("rules", target.rules), ("triggers", target.triggers)):
        if names:
            causes.append((f"{name} has {kind} that may turn changes aside: {', '.join(names)}", f"drop the {kind}"))
    return causes
