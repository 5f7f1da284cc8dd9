"""What the next extraction would read; changes nothing."""

from msgspec import Struct

from wmtui.pipeline.context import Scope
from wmtui.pipeline.extract.pending_run import PendingKind, find_pending
from wmtui.pipeline.extract.plan import Plan, is_overlap, resumed
from wmtui.pipeline.extract.plan_extraction import last_run, plan_extraction, refuse_limit, tell_held
from wmtui.pipeline.extract.schema_changes import tell_changes, tell_renames
from wmtui.pipeline.extract.source_check import check_source, refuse_pinned
from wmtui.pipeline.target_check import check_target
from wmtui.runs.settle import patch_extracted
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.zones import refuse_foreign


class ExtractionPreview(Struct, frozen=True):
    """What the next extraction would read: about so many rows of the plan, from this watermark on."""

    mark: Watermark
    plan: Plan
    estimate: int


def preview_extraction(scope: Scope, mark: Watermark) -> ExtractionPreview:
    """What the next extraction would read, beginning with what is left of an interrupted run.

    Raises what `extract_table` raises.
    """
    refuse_pinned(scope, mark)
    refuse_foreign(mark, scope.backend.zone)
    with scope.backend.source.connect() as source:
        table = source.describe(scope.table, scope.config)
        check_target(scope, table)
        last = last_run(scope)
        check_source(scope, source, table, mark, last)
        pending = find_pending(scope, mark, table, source)
        tell_renames(scope, table)
        tell_changes(scope, table, last, source.server)
        if pending.kind is PendingKind.COMMITTED and pending.run is not None:
            last = pending.run
            mark = mark.patched(patch_extracted(mark, last, scope.backend.clock(), table.cursor_digits))
        if pending.kind is PendingKind.RESUMABLE and pending.run is not None:
            run = pending.run
            refuse_limit(scope, run.order)
            plan = Plan(
                order=run.order,
                strategy=run.strategy,
                low=run.low,
                high=run.high,
                spans=tuple(span for _, span in resumed(run)),
                origin="resuming an interrupted run",
                seen_from=None,
            )
        else:
            plan = plan_extraction(scope, source, mark, table, last)[0]
            tell_held(scope, plan)
        rows = sum(source.estimate(table, span) for span in plan.spans if not is_overlap(span))
    return ExtractionPreview(mark, plan, rows)
